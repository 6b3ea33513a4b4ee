# What does not need the program: the scripts of the package under a real systemd, with a package of its form alone.
set -eu
fail() { echo "FAILED: $*"; exit 1; }
dpkg -i /bring/batchd_1.0-1_*.deb
[ "$(stat -c '%a %U:%G' /etc/batchd/config.toml)" = "640 root:batchd" ] || fail "the rights of the configuration"
[ "$(stat -c '%a %U:%G' /etc/batchd/api_key)" = "600 root:root" ] || fail "the rights of the key"
[ "$(stat -c '%a %U:%G' /srv/batchd/inbox)" = "2770 batchd:batchd" ] || fail "the rights of the inbox"
systemctl cat batchd.service >/dev/null || fail "no unit"
! systemctl is-active --quiet batchd || fail "it runs before it is configured"
echo '# mine' >>/etc/batchd/config.toml
touch /srv/batchd/outbox/may.results.csv /srv/batchd/archive/may.csv
install -D -o batchd /dev/null /var/lib/batchd/batchd.db
dpkg -i /bring/batchd_1.1-1_*.deb
grep -q '^# mine' /etc/batchd/config.toml || fail "the configuration was replaced"
dpkg --purge batchd
[ ! -e /usr/bin/batchd ] && [ ! -e /usr/lib/batchd ] && [ ! -e /etc/batchd ] || fail "something of the program is left"
[ -e /srv/batchd/outbox/may.results.csv ] && [ -e /srv/batchd/archive/may.csv ] || fail "work of people is gone"
[ -e /var/lib/batchd/batchd.db ] && id batchd >/dev/null || fail "the state or its user is gone"
