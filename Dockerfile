# taskd in a container; docs/containers.md says how to use it. Nothing but Debian, the npm registry
# and the base image is asked for anything.
ARG BASE=node:20.19.5-bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund --no-update-notifier
# For the launcher, which is Perl without it (docs/decisions/005-compiled-launcher.md).
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY tsconfig.json ./
COPY scripts/build scripts/bundle.mjs scripts/esbuild-options.mjs scripts/
COPY src src
RUN scripts/build
# What the daemon needs stays, what the compiler needed goes.
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund --no-update-notifier

FROM ${BASE}
# perl: the init that makes process 1 of bin/taskd. php-cli: for jobs; leave it out if there are none.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates perl-base php-cli redis-server tzdata \
  && rm -rf /var/lib/apt/lists/*
# A fixed number, because volumes and secrets of the host know their owner by it.
RUN groupadd --gid 10001 taskd \
  && useradd --uid 10001 --gid 10001 --home-dir /var/lib/taskd --no-create-home --shell /usr/sbin/nologin taskd \
  && install -d -o 10001 -g 10001 -m 750 /var/lib/taskd
WORKDIR /opt/taskd
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY package.json ./
COPY bin bin
COPY examples examples
COPY container/taskd/cron.ini /etc/taskd/cron.ini

ENV PATH=/opt/taskd/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  TASKD_CONFIG=/etc/taskd/cron.ini
USER 10001:10001
WORKDIR /var/lib/taskd
VOLUME /var/lib/taskd
EXPOSE 9595
STOPSIGNAL SIGTERM
# Healthy is a daemon that answers, also while something that it looks after is down (3): it mends
# that itself, and a new container would not.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD taskd status >/dev/null || [ $? -eq 3 ]
ENTRYPOINT ["/opt/taskd/bin/taskd"]
CMD ["start", "-n"]
