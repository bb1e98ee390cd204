#!/usr/bin/env bash
# The real programs that the tests talk to, from Debian's archive. Never fails: a test whose
# program is missing skips itself and says so. Never starts a daemon, and leaves the machine's
# own rule about that (policy-rc.d) as it was.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
export PATH="$PATH:/usr/sbin:/sbin"

# package | a file or program that shows it is there | what is skipped without it
needs=(
  "swaks|swaks|clients: swaks signs in and sends"
  "curl|curl|clients: curl signs in and sends"
  "msmtp|msmtp|clients: msmtp signs in and sends"
  "mutt|mutt|clients: mutt signs in and sends"
  "nodejs|node|clients: Nodemailer signs in and sends"
  "npm|npm|clients: Nodemailer is installed from the npm registry"
  "openssl|openssl|certificates for TLS tests; a session by openssl s_client"
  "postfix|smtp-sink|Postfix's smtp-sink as the outside world; the benchmark's peer"
  "opendkim|opendkim|DKIM verified by OpenDKIM; the benchmark's peer"
  "opendkim-tools|opendkim-testmsg|DKIM verified by OpenDKIM"
  "libmail-dkim-perl|perl:Mail::DKIM|DKIM verified by Mail::DKIM"
  "libnet-dns-perl|perl:Net::DNS|DKIM verified by Mail::DKIM"
  "libnet-ssleay-perl|perl:Net::SSLeay|swaks over TLS"
  "libio-socket-ssl-perl|perl:IO::Socket::SSL|swaks over TLS"
  "libauthen-sasl-perl|perl:Authen::SASL|swaks with AUTH"
  "python3-yaml|glob:/usr/lib/python3/dist-packages/yaml/__init__.py|conformance suites that are YAML"
  "strace|strace|proof that data is synced before 250"
  "dovecot-imapd|glob:/usr/lib/dovecot/imap|reading mail by IMAP; sign-in of the benchmark's peer"
  "dovecot-lmtpd|glob:/usr/lib/dovecot/lmtp|mail handed to Dovecot by LMTP"
  "clamav-daemon|clamd|malware found by clamd"
  "rspamd|rspamd|spam told by rspamd; the benchmark's peer"
  "unbound|unbound|DANE by a resolver that validates"
  "ldnsutils|ldns-signzone|DANE by a resolver that validates: signed zones"
  "isync|mbsync|clients: mbsync keeps a copy of a mailbox"
  "chromium|chromium|the pages in a real browser"
  "postgresql|glob:/usr/lib/postgresql/*/bin/postgres|the store on PostgreSQL"
)

present() {
  case "$1" in
    perl:*) perl -M"${1#perl:}" -e 1 2>/dev/null ;;
    glob:*) compgen -G "${1#glob:}" >/dev/null || command -v "$(basename "$1")" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

find_missing() {
  missing=() skipped=()
  local row package witness what
  for row in "${needs[@]}"; do
    IFS='|' read -r package witness what <<<"$row"
    present "$witness" || { missing+=("$package"); skipped+=("$what"); }
  done
}

say_skipped() {
  echo "tests that will be skipped ($1):" >&2
  printf '%s\n' "${skipped[@]}" | sort -u | sed 's/^/  - /' >&2
}

find_missing
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    say_skipped "not root, no sudo without a password; missing: ${missing[*]}"
    exit 0
  fi
fi
if ! command -v apt-get >/dev/null; then
  say_skipped "no apt-get here; missing: ${missing[*]}"
  exit 0
fi

rule=/usr/sbin/policy-rc.d
kept="$rule.before-mailgov-tests"
restore_rule() {
  "${as_root[@]}" rm -f "$rule"
  if [ -e "$kept" ]; then "${as_root[@]}" mv "$kept" "$rule"; fi
}
if [ -e "$rule" ] && [ ! -e "$kept" ]; then "${as_root[@]}" mv "$rule" "$kept"; fi
trap restore_rule EXIT
trap 'exit 130' INT TERM HUP
printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$rule" >/dev/null && "${as_root[@]}" chmod 755 "$rule"

# Postfix asks what kind of site this is: none; the tests write their own configurations.
echo "postfix postfix/main_mailer_type select No configuration" | "${as_root[@]}" debconf-set-selections 2>/dev/null

log=$(mktemp)
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=60 "${missing[@]}" >"$log" 2>&1 </dev/null
}
echo "installing for the tests: ${missing[*]}"
if ! install; then
  "${as_root[@]}" apt-get update -qq -o DPkg::Lock::Timeout=60 >"$log" 2>&1 </dev/null
  install || tail -n 3 "$log" >&2
fi
rm -f "$log"
find_missing
[ ${#missing[@]} -eq 0 ] || say_skipped "apt could not install: ${missing[*]}"
exit 0
