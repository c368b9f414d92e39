#!/bin/bash
# spec/browser.sh -- the demo of examples/openresty, by a person with a browser: headless
# Chromium, driven by playwright-core of the npm registry.  Screenshots of every page stay
# in build/screenshots.
set -u
cd "$(dirname "$0")/.." || exit 1
. spec/support/check.sh

modules=build/browser
pictures=build/screenshots
mkdir -p "$modules" "$pictures"
rm -f "$pictures"/*.png

# playwright-core, of the version that the lock file says; nothing is fetched when it is there.
has_playwright() {
    cmp -s spec/browser/package-lock.json "$modules/package-lock.json" && [ -e "$modules/node_modules/playwright-core" ] &&
        return
    cp spec/browser/package.json spec/browser/package-lock.json "$modules" &&
        (cd "$modules" && npm ci --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=20000) && return
    rm -f "$modules/package-lock.json"
    echo "The npm registry has to be reachable once, for playwright-core."
    return 1
}

# in_background NAME COMMAND... -- runs a demo and sets NAME_pid.  With job control, or the
# shell would have it ignore Ctrl-C.
in_background() {
    name=$1
    shift
    : >"$modules/$name.log"   # now: what runs in the background may come to it later
    set -m
    PORT=$(lua5.4 -e 'for _ = 1, 8 do io.write(math.random(20000, 31999), " ") end') "$@" >"$modules/$name.log" 2>&1 </dev/null &
    eval "${name}_pid=$!"
    set +m
}

# start_demo NAME [SECONDS] -- how long a user has
start_demo() { in_background "$1" env CONNECT_SECONDS="${2-}" examples/openresty/demo; }

# A terminal that was opened for make alone; it is closed when `script` ends.
start_in_terminal() { in_background "$1" script -qfc "make demo-openresty" /dev/null; }

# address NAME -- where the demo says it is, as soon as it does
address() {
    for _ in $(seq 100); do
        found=$(sed -n 's|.*\(http://127.0.0.1:[0-9]*/\).*|\1|p' "$modules/$1.log" | head -n 1)
        [ -z "$found" ] || break
        sleep 0.1
    done
    echo "$found"
    [ -n "$found" ]
}

# The processes of a demo, but for nginx, which has left its group.
in_group() { ps -e -o pgid= -o pid= -o stat= | awk -v group="$1" '$1 == group && $3 !~ /^Z/ { print $2 }'; }

# ends NAME SIGNAL -- the signal ends a demo, and with it all that it had started
ends() {
    pid=$1_pid
    where=$(address "$1") || return 1
    kill -"$2" "${!pid}"
    for _ in $(seq 50); do
        left=$(in_group "${!pid}")
        if [ -z "$left" ] && ! curl -s --noproxy '*' "$where" >/dev/null; then
            return 0
        fi
        sleep 0.1
    done
    echo "left behind: $left, or nginx"
    return 1
}

no_directory_left() {
    for _ in $(seq 50); do
        left=$(ls -d "$TMPDIR"/tmp.* 2>/dev/null) || return 0
        sleep 0.1
    done
    echo "left behind: $left"
    return 1
}

if ! check "playwright-core is there" has_playwright; then
    totals
    exit
fi
eval "$(make -s env LUA=luajit)"
TMPDIR=$(mktemp -d)
export TMPDIR
usual_pid= hasty_pid= killed_pid= terminal_pid=
trap 'kill $usual_pid $hasty_pid $killed_pid $terminal_pid 2>/dev/null; rm -rf "$output" "$TMPDIR"' EXIT
start_demo usual
start_demo hasty 4
check "the demo says where it is" address usual
check "a demo may choose how long a user has" address hasty
NODE_PATH=$modules/node_modules timeout --kill-after=5 120 node spec/browser/connect.js \
    "$(address usual)" "$(address hasty)" "$pictures" >"$modules/connect.log" 2>&1
sed '$d' "$modules/connect.log"
total=$(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed, .*/\1 \2/p' "$modules/connect.log")
if [ -n "$total" ]; then
    passed=$((passed + ${total% *})) failed=$((failed + ${total#* }))
else
    check "the browser's part comes to its end" false
fi
check "Ctrl-C ends the demo, and leaves nothing behind" ends usual INT
check "a session that hangs up ends it as well" ends hasty HUP
start_demo killed
start_in_terminal terminal
check "so does kill -9" ends killed KILL
check "so does closing the terminal that make was started in" ends terminal KILL
check "no directory is left" no_directory_left
totals
