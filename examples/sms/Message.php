<?php

/** Stands in for the API of a provider: it writes into a file what it would send. */
class Message
{
    public function __construct(private string $key)
    {
    }

    /** @return string the provider's receipt */
    public function send(string $phone, string $text): string
    {
        if (!preg_match('/^\+?\d{5,15}$/', $phone)) {
            throw new InvalidArgumentException("$phone is no phone number");
        }
        $outbox = getenv('SMS_OUTBOX') ?: sys_get_temp_dir() . '/sms.log';
        $line = json_encode(['key' => $this->key, 'phone' => $phone, 'text' => $text]);
        if (file_put_contents($outbox, "$line\n", FILE_APPEND | LOCK_EX) === false) {
            throw new RuntimeException('the provider does not answer');
        }
        return substr(md5($this->key), 0, 12);
    }
}
