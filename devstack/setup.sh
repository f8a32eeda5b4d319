#!/bin/sh
# Makes .venv with any Python from 3.11 on and installs exactly what requirements-dev.lock pins, hashes checked.
set -eu
cd "$(dirname "$0")/.."
lock=requirements-dev.lock
installed=.venv/installed.lock
ready=.venv/.ready

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Debian parts ensurepip from python3: without it another Python, or a pip outside the environment, does as well.
make_environment() {
    found=
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        new_enough "$python" || continue
        found=${found:-$python}
        if "$python" -c 'import ensurepip' 2>/dev/null && "$python" -m venv --clear .venv; then
            return
        fi
    done
    [ -n "$found" ] || fail "No Python from 3.11 on was found (python3, python3.14 … python3.11)." \
        "Install one, for instance: apt install python3 python3-venv"
    "$found" -m pip --version >/dev/null 2>&1 || fail "$found can make no environment: neither ensurepip nor pip is there." \
        "Install them, for instance: apt install python3-venv"
    "$found" -m venv --clear --without-pip .venv
    "$found" -m pip --python .venv/bin/python install --quiet --disable-pip-version-check pip
}

# Shows one line that counts, since pip's own output is some hundred lines where there is no terminal.
install() {
    log=.venv/install.log
    # Compiling all of it takes longer than downloading it; Python compiles what is used when it is used.
    { .venv/bin/python -m pip install --require-hashes --no-compile --disable-pip-version-check --progress-bar off \
        -r "$lock" 2>&1
        echo "exit status $?"; } | tee "$log" | awk -v tty="$([ -t 1 ] && echo 1 || echo 0)" '
        /^Collecting |^Requirement already satisfied: / {
            n++
            name = /^Collecting/ ? $2 : $4
            if (tty) printf "\r\033[K  %d packages found: %s", n, name
            else if (n % 20 == 0) printf "  %d packages found\n", n
        }
        /^Installing collected/ { printf "%s  installing %d packages\n", tty ? "\r\033[K" : "", n }
        { fflush() }'
    [ "$(tail -n 1 "$log")" = "exit status 0" ] || fail "Installing failed; the end of $log:" "$(tail -n 25 "$log")"
}

if [ -f "$installed" ] && cmp -s "$lock" "$installed" && new_enough .venv/bin/python; then
    touch "$ready"
    exit 0
fi
echo "Setting up .venv from $lock:"
new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1 || make_environment
install
cp "$lock" "$installed"
touch "$ready"
echo "  done"
