pidfile = "$directory/prosody.pid"; data_path = "$directory/data"
modules_enabled = {"roster", "saslauth", "disco", "private", "vcard4", "version", "uptime", "time", "ping", "smacks", "carbons"$more}
modules_disabled = {"s2s", "posix"}
c2s_require_encryption = false; allow_unencrypted_plain_auth = true; authentication = "$authentication"
interfaces = {"127.0.0.1"}; c2s_ports = {$port}; http_ports = {}; https_ports = {}; c2s_direct_tls_ports = {}
limits = { c2s = { rate = "1000mb/s" } }
smacks_max_queue_size = 1000000
log = { warn = "*console" }
VirtualHost "localhost"
  ssl = { certificate = "$certificate", key = "$key" }
