# shellcheck shell=bash
# Sourced by quickstart: a Docker Engine that answers, installed and started only when none does.
#   ensure_docker         sets DOCKER_HOST when it is not the default; fails with what to do
#   stop_docker_if_ours   stops the engine if ensure_docker started it itself

docker_pid=
docker_log=

docker_socket() {
  case ${DOCKER_HOST:-} in
    "") for path in /var/run/docker.sock /tmp/docker.sock; do [ -S "$path" ] && { echo "$path"; return; }; done; echo /var/run/docker.sock ;;
    unix://*) echo "${DOCKER_HOST#unix://}" ;;
  esac
}

# Asks the engine itself: a socket file may be left of a dead one. node is all that is sure to be there.
docker_answers() {
  local socket
  socket=$(docker_socket)
  [ -n "$socket" ] || return 0 # DOCKER_HOST over TCP: the story asks it, with its certificates
  node -e '
    const request = require("node:http").get({ socketPath: process.argv[1], path: "/_ping", timeout: 3000 }, (answer) =>
      process.exit(answer.statusCode === 200 ? 0 : 1));
    request.on("timeout", () => process.exit(1)).on("error", (error) => process.exit(error.code === "EACCES" ? 13 : 1));
  ' "$socket"
}

ensure_docker() {
  local status=0
  docker_answers || status=$?
  [ "$status" = 0 ] && return
  [ "$status" = 13 ] && fail "no permission to talk to Docker at $(docker_socket): run as root, or join the docker group"
  [ -z "${DOCKER_HOST:-}" ] || fail "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST"
  [ "$(id -u)" = 0 ] || fail "no Docker Engine answers, and only root may install or start one: run as root"
  if ! command -v dockerd >/dev/null; then
    [ "$QUAYSIDE_INSTALL" = yes ] || fail "Docker Engine is missing: apt-get install docker.io (or run without --no-install)"
    command -v apt-get >/dev/null || fail "Docker Engine is missing, and there is no apt-get to install it with: see https://docs.docker.com/engine/install/"
    say "no Docker Engine answers: installing the distribution's docker.io (apt-get install docker.io)"
    apt_install docker.io
  fi
  start_docker
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive with_progress "reading the package lists" apt-get update || fail "apt-get update failed"
  DEBIAN_FRONTEND=noninteractive with_progress "installing $*" apt-get install -y --no-install-recommends "$@" ||
    fail "apt-get could not install $*"
}

start_docker() {
  # Installing may have started it; a service manager is asked first, and then owns it.
  if [ -d /run/systemd/system ]; then
    say "starting Docker Engine (systemctl start docker)"
    systemctl start docker || fail "systemctl could not start docker: see journalctl -u docker"
    wait_for_docker || fail "Docker Engine was started but does not answer: see journalctl -u docker"
    return
  fi
  docker_answers && return
  mount_cgroups
  remember_network
  docker_log=$(mktemp "${TMPDIR:-/tmp}/quayside-dockerd.XXXXXX")
  say "no service manager runs here: starting dockerd itself, until this ends (its log: $docker_log)"
  # In a session of its own: Ctrl-C must not end it before the story has cleaned up.
  setsid dockerd >"$docker_log" 2>&1 &
  docker_pid=$!
  wait_for_docker || { tail -n 15 "$docker_log" >&2; fail "dockerd does not answer"; }
}

wait_for_docker() {
  local deadline=$((SECONDS + 60))
  until docker_answers; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    [ -z "$docker_pid" ] || kill -0 "$docker_pid" 2>/dev/null || return 1
    sleep 0.2
  done
}

mount_cgroups() {
  grep -qE '^[^ ]+ /sys/fs/cgroup[^ ]* cgroup2? ' /proc/mounts && return
  say "no control groups are mounted: mounting cgroup2 at /sys/fs/cgroup"
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

stop_docker_if_ours() {
  [ -n "$docker_pid" ] || return 0
  say "stopping the Docker Engine that was started here"
  kill -TERM "$docker_pid" 2>/dev/null || true
  local deadline=$((SECONDS + 30))
  while kill -0 "$docker_pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.2; done
  kill -KILL "$docker_pid" 2>/dev/null || true
  rm -f "$docker_log"
  docker_pid=
  forget_network
}

# Docker leaves its bridge and its rules behind when it ends. They are taken away only if they were not there before it was
# started here: rules of other owners are never touched.
remember_network() {
  docker_network=new
  if [ -e /sys/class/net/docker0 ] || iptables-save 2>/dev/null | grep -q '^:DOCKER'; then docker_network=old; fi
  docker_policy=$(iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p')
}

forget_network() {
  [ "${docker_network:-old}" = new ] || return 0
  ip link del docker0 2>/dev/null || true
  local table rule chain
  for table in nat filter; do
    iptables -w -t "$table" -S 2>/dev/null | grep -E '^-A (PREROUTING|OUTPUT|POSTROUTING|FORWARD|INPUT) .*(DOCKER|docker0)' |
      while read -r rule; do
        # shellcheck disable=SC2086 # iptables printed it as words
        iptables -w -t "$table" -D ${rule#-A } || true
      done
    for chain in $(iptables -w -t "$table" -S 2>/dev/null | sed -n 's/^-N \(DOCKER[^ ]*\)$/\1/p'); do iptables -w -t "$table" -F "$chain" || true; done
    for chain in $(iptables -w -t "$table" -S 2>/dev/null | sed -n 's/^-N \(DOCKER[^ ]*\)$/\1/p'); do iptables -w -t "$table" -X "$chain" || true; done
  done
  [ -z "$docker_policy" ] || iptables -w -P FORWARD "$docker_policy"
}
