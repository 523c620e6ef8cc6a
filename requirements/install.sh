#!/usr/bin/env bash
# Makes .venv and installs the locked packages into it; called by the Makefile.
#
#   requirements/install.sh run    what `make up` needs: the daemon, Ansible, the embedded engine
#   requirements/install.sh dev    that, and what the tests and linters need
#
# PYTHON chooses the interpreter. It must be 3.11, 3.12 or 3.13.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

supported() {
  command -v "$1" > /dev/null &&
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null
}

choose_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if supported "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  say "ia0: Python 3.11, 3.12 or 3.13 is needed; tried: ${PYTHON:-python3 python3.13 python3.12 python3.11}."
  say "     On Debian: apt-get install python3 python3-venv. Another one: make up PYTHON=/path/to/python3.12"
  return 1
}

# A .venv that was moved with its clone, or whose Python went away, has scripts that no longer start.
usable() {
  [ -x .venv/bin/pip ] && head -n 3 .venv/bin/pip | grep -qF "$PWD/.venv/bin/python" && .venv/bin/python3 -c ''
}

make_venv() {
  local python
  python=$(choose_python)
  if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    say "ia0: $python has no venv module. On Debian: apt-get install python3-venv"
    return 1
  fi
  rm -rf .venv
  "$python" -m venv .venv
}

install_locked() {
  .venv/bin/python3 -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps "$@"
}

install_package() {
  .venv/bin/python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

if ! usable; then make_venv; fi
case "${1:-}" in
  run) install_locked -r requirements.txt -r requirements/embedded.txt && install_package ;;
  dev) install_locked -r requirements/dev.txt ;;
  *)
    say "usage: requirements/install.sh run|dev"
    exit 2
    ;;
esac
