# spec/support/check.sh -- for the runs that are shell scripts: one line per check,
# the totals last, as spec/run wants them.  To be sourced.

passed=0 failed=0 skipped=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# check SENTENCE COMMAND... -- the command has to succeed; its output is shown if not.
check() {
    sentence=$1
    shift
    if "$@" >"$output" 2>&1; then
        passed=$((passed + 1))
        echo "ok $sentence"
    else
        failed=$((failed + 1))
        echo "not ok $sentence"
        sed 's/^/      /' "$output"
        return 1
    fi
}

totals() {
    echo
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
