#!/usr/bin/env bash
# What a stranger does: a fresh clone, `make up`, the contract's example, `make up` again, `make down`.
# Prints how long each took and what came back; fails at the first thing that is not as the README says.
set -euo pipefail

repository=$(git -C "$(dirname "$0")/.." rev-parse --show-toplevel)
folder=$(mktemp -d)
clone=$folder/ia0

# Where this fails, nothing of it may go on running.
trap '[ ! -e "$clone/.venv/.run" ] || make --no-print-directory -C "$clone" down > "$folder/down.log" 2>&1; rm -rf "$folder"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# A developer's own settings must not reach the try.
unset ENGINE IA0_DIR LOG_LEVEL MAKEFLAGS MAX_TOKENS MFLAGS MODEL_LLAMA MODEL_QWEN2 OLLAMA_HOST TIMEOUT

# Three ports that nobody has; the daemon takes IA0_PORT and the one above it.
free_ports() {
  python3 - <<'PYTHON'
import contextlib, random, socket
while True:
    # Below the range from which the kernel takes ports for callers.
    port = random.randrange(20000, 32000, 4)
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        for number in range(port, port + 3):
            stack.enter_context(socket.create_server(("127.0.0.1", number)))
        print(port, port + 2)
        break
PYTHON
}
read -r IA0_PORT IA0_ENGINE_PORT < <(free_ports)
export IA0_PORT IA0_ENGINE_PORT

listening() { python3 -c 'import socket, sys; sys.exit(socket.socket().connect_ex(("127.0.0.1", int(sys.argv[1]))) != 0)' "$1"; }
pids() { make --no-print-directory status | awk 'NR > 1 {print $1, $3}'; }

say "a fresh clone"
git clone --quiet "$repository" "$clone"
cd "$clone"

say "make up, cold"
SECONDS=0
make up
echo "make up took $SECONDS s"
[ "$SECONDS" -le 300 ] || fail "make up took more than 5 minutes"
before=$(pids)

say "the contract's example"
answer=$(curl --silent --show-error --fail --noproxy '*' "http://127.0.0.1:$IA0_PORT/llm/generate" \
  -H 'Content-Type: application/json' \
  -d '{"model": "qwen2-7b", "prompt": "What is a lighthouse for?", "params": {"temperature": 0.7, "max_tokens": 1000, "top_p": 0.9, "top_k": 40}}')
echo "$answer"
python3 - "$answer" <<'PYTHON' || fail "the answer has not got the contract's fields"
import json, sys
answer = json.loads(sys.argv[1])
missing = {"text", "model", "tokens_used", "latency_ms", "timestamp"} - answer.keys()
sys.exit(f"missing: {missing}" if missing or not answer["text"].strip() else 0)
PYTHON

say "make up, again"
make up | tee "$folder/again.log" | tail -n 3
grep -Eq 'ok=[0-9]+ +changed=0 +unreachable=0 +failed=0' "$folder/again.log" || fail "the second make up changed something"
[ "$(pids)" = "$before" ] || fail "the second make up started other processes"

say "make down"
make down | tail -n 3
for port in "$IA0_PORT" "$((IA0_PORT + 1))" "$IA0_ENGINE_PORT"; do
  ! listening "$port" || fail "somebody still listens on port $port"
done
if grep -qsz "^IA0_SERVICE_RUN_FILE=$clone/" /proc/[0-9]*/environ; then fail "processes are left: make status"; fi
echo "no process and no port is left"
