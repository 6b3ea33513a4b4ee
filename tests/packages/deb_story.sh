# Runs as root under a real systemd, with two versions of the package in /bring. Each line that fails ends it.
set -eu
say() { echo "== $*"; }
fail() { echo "FAILED: $*"; systemctl status batchd --no-pager || true; journalctl -u batchd --no-pager | tail -40; exit 1; }
soon() { for _ in $(seq 300); do if eval "$1"; then return; fi; sleep 0.1; done; fail "not soon: $1"; }
export DEBIAN_FRONTEND=noninteractive

say install
dpkg -i /bring/batchd_1.0-1_*.deb
[ "$(stat -c '%a %U:%G' /etc/batchd/config.toml)" = "640 root:batchd" ] || fail "the rights of the configuration"
[ "$(stat -c '%a %U:%G' /etc/batchd/api_key)" = "600 root:root" ] || fail "the rights of the key"
[ "$(stat -c '%a %U:%G' /srv/batchd/inbox)" = "2770 batchd:batchd" ] || fail "the rights of the inbox"
! systemctl is-active --quiet batchd || fail "it runs before it is configured"
batchd --version

say "a provider, and a configuration for it"
systemd-run --quiet --unit=fake -p DynamicUser=yes batchd sandbox --port 8089 --latency 200ms
printf 'sk-test-1234' >/etc/batchd/api_key
printf '%s\n' '[folders]' 'inbox = "/srv/batchd/inbox"' 'outbox = "/srv/batchd/outbox"' 'archive = "/srv/batchd/archive"' \
    'rejected = "/srv/batchd/rejected"' 'held = "/srv/batchd/held"' 'state = "/var/lib/batchd"' \
    '[intake]' 'settle = "100ms"' 'rescan = "200ms"' \
    '[providers.fake]' 'plugin = "openai"' 'base_url = "http://127.0.0.1:8089/v1"' 'api_key = "credential:api_key"' \
    'poll = "200ms"' 'linger = "0s"' \
    '[routes.reviews]' 'provider = "fake"' 'model = "sandbox-small"' \
    '[routes.reviews.prompt]' 'plugin = "template"' 'user = "Review: {{ review }}"' >/tmp/config.toml
cat /tmp/config.toml >/etc/batchd/config.toml
[ "$(stat -c '%a %U:%G' /etc/batchd/config.toml)" = "640 root:batchd" ] || fail "the rights of the configuration"
soon 'python3 -c "import urllib.request as u; u.urlopen(\"http://127.0.0.1:8089/v1/models\")" 2>/dev/null'

say "start: notify, credentials, journal"
systemctl enable --quiet --now batchd
systemctl is-active --quiet batchd || fail "not active"
pid=$(systemctl show -P MainPID batchd)
[ "$(ps -o user= -p "$pid")" = batchd ] || fail "another user"
[ "$(cat /run/credentials/batchd.service/api_key)" = sk-test-1234 ] || fail "no credential"
grep -q '^Seccomp:.*2' "/proc/$pid/status" || fail "no seccomp"
grep -q '^CapEff:.*0000000000000000' "/proc/$pid/status" || fail "capabilities"
journalctl -u batchd --no-pager | grep -q "Watching /srv/batchd/inbox" || fail "nothing in the journal"

say "a file comes back"
printf 'id,review\n1,good\n2,came late\n' >/srv/batchd/inbox/reviews/may.csv
soon '[ -e /srv/batchd/outbox/reviews/may.report.json ]'
[ "$(wc -l </srv/batchd/outbox/reviews/may.results.csv)" = 3 ] || fail "rows are missing"

say reload
printf '%s\n' '[routes.more]' 'provider = "fake"' 'model = "sandbox-small"' \
    '[routes.more.prompt]' 'plugin = "template"' 'user = "{{ review }}"' >>/etc/batchd/config.toml
systemctl reload batchd
soon 'journalctl -u batchd --no-pager | grep -qi "configuration.*\(reload\|in force\|new\)"'
[ "$(systemctl show -P MainPID batchd)" = "$pid" ] || fail "another process after the reload"

say "backup of the running service"
install -d -o batchd -g batchd /backups
runuser -u batchd -- batchd --config /etc/batchd/config.toml backup /backups/now
[ -e /backups/now/backup.json ] || fail "no backup"

say watchdog
mkdir -p /run/systemd/system/batchd.service.d
printf '[Service]\nWatchdogSec=2\nRestartSec=1\n' >/run/systemd/system/batchd.service.d/test.conf
systemctl daemon-reload
systemctl restart batchd
pid=$(systemctl show -P MainPID batchd)
kill -STOP "$pid"
soon '[ "$(systemctl show -P NRestarts batchd)" -ge 1 ] && systemctl is-active --quiet batchd'
[ "$(systemctl show -P MainPID batchd)" != "$pid" ] || fail "the same process after the watchdog"
rm -r /run/systemd/system/batchd.service.d
systemctl daemon-reload

say upgrade
dpkg -i /bring/batchd_1.1-1_*.deb
systemctl is-active --quiet batchd || fail "not started again after the upgrade"
systemctl is-enabled --quiet batchd || fail "not enabled after the upgrade"
grep -q credential /etc/batchd/config.toml || fail "the configuration was replaced"
printf 'id,review\n1,fine\n' >/srv/batchd/inbox/reviews/june.csv
soon '[ -e /srv/batchd/outbox/reviews/june.report.json ]'

say purge
dpkg --purge batchd
[ ! -e /usr/bin/batchd ] && [ ! -e /usr/lib/batchd ] && [ ! -e /etc/batchd ] || fail "something of the program is left"
[ ! -e /usr/lib/systemd/system/batchd.service ] || fail "the unit is left"
for kept in outbox/reviews/may.results.csv archive/reviews/may.csv; do [ -e "/srv/batchd/$kept" ] || fail "$kept is gone"; done
[ -e /var/lib/batchd/batchd.db ] || fail "the state is gone"
id batchd >/dev/null || fail "the user of what is left is gone"
say done
