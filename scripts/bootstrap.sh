# shellcheck shell=bash
# Sourced at the repository's root by check and quickstart. Afterwards `bun` is the lockfile's version, first on the PATH, and
# node_modules holds what package-lock.json says. Says nothing where nothing is to be done.
#   QUAYSIDE_INSTALL=no   installs nothing: fails with what is missing and how to get it

declare -F say >/dev/null || say() { printf '[%3ds] %s\n' "$SECONDS" "$*"; }
declare -F fail >/dev/null || fail() { echo "${0##*/}: $*" >&2; exit 1; }

# with_progress WHAT COMMAND...: runs it, with a line at the start, every 15 s, and at the end; its output only when it fails.
with_progress() {
  local what=$1 log status=0 began=$SECONDS pid told
  shift
  log=$(mktemp)
  say "$what"
  "$@" </dev/null >"$log" 2>&1 &
  pid=$!
  told=$SECONDS
  while kill -0 "$pid" 2>/dev/null; do
    if [ $((SECONDS - told)) -ge 15 ]; then
      told=$SECONDS
      say "$what: $((SECONDS - began)) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-80)"
    fi
    sleep 0.2
  done
  wait "$pid" || status=$?
  if [ "$status" = 0 ]; then
    say "$what: done after $((SECONDS - began)) s"
  else
    tail -n 30 "$log" >&2
  fi
  rm -f "$log"
  return "$status"
}

# The bun of node_modules, by its own path: npm's .bin/bun is a placeholder until an install script has run, and none is run here.
# It is put in the placeholder's place, so that `npx bun` works too.
packaged_bun() {
  local candidate
  for candidate in node_modules/@oven/bun-*/bin/bun; do
    if [ -x "$candidate" ] && [ "$("$candidate" --version 2>/dev/null)" = "$bun_wanted" ]; then
      [ node_modules/.bin/bun -ef "$candidate" ] || ln -sfn "../${candidate#node_modules/}" node_modules/.bin/bun 2>/dev/null || true
      echo "$PWD/${candidate%/bun}"
      return
    fi
  done
  return 1
}

packages_are_there() {
  # A copy of the lockfile is kept beside the packages: after a checkout the times tell nothing.
  cmp -s package-lock.json node_modules/.quayside-lock || [ node_modules/.package-lock.json -nt package-lock.json ]
}

install_packages() {
  [ "${QUAYSIDE_INSTALL:-yes}" = yes ] ||
    fail "Bun $bun_wanted and the packages of package-lock.json are missing: npm install --no-save --ignore-scripts (or run without --no-install)"
  if command -v npm >/dev/null; then
    # Not `npm ci`: it refuses a lockfile that lacks optional packages of other platforms, which a registry may not have.
    # --no-save leaves the lockfile as it is, and what was installed is compared with it.
    with_progress "installing Bun $bun_wanted and the packages (npm install)" \
      npm install --no-save --ignore-scripts --no-audit --no-fund || fail "npm install failed"
    node -e '
      const locked = require("./package-lock.json").packages;
      const found = Object.entries(require("./node_modules/.package-lock.json").packages);
      const other = found.filter(([path, { version, integrity }]) =>
        locked[path]?.version !== version || locked[path].integrity !== integrity);
      if (other.length) { console.error("not as in package-lock.json: " + other.map(([path]) => path).join(", ")); process.exit(1); }
    ' || fail "npm installed other packages than the lockfile names"
  elif [ "$(bun --version 2>/dev/null)" = "$bun_wanted" ]; then
    # Reads package-lock.json; with a frozen lockfile it writes no bun.lock.
    with_progress "installing the packages (bun install; there is no npm)" bun install --frozen-lockfile --ignore-scripts ||
      fail "bun install failed"
  else
    fail "Bun $bun_wanted is missing, and there is no npm to install it with: apt-get install nodejs npm"
  fi
  cp package-lock.json node_modules/.quayside-lock
}

bun_wanted=$(sed -n 's/.*"bun": *"\([0-9][0-9.]*\)".*/\1/p' package.json | head -n 1)
packages_are_there || install_packages
if bun_dir=$(packaged_bun); then
  export PATH="$bun_dir:$PATH"
elif [ "$(bun --version 2>/dev/null)" != "$bun_wanted" ]; then
  install_packages
  bun_dir=$(packaged_bun) || fail "no Bun $bun_wanted in node_modules that runs on this machine ($(uname -m))"
  export PATH="$bun_dir:$PATH"
fi
unset bun_dir
