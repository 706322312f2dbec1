# Sourced by the scripts that make an environment of another Python than the project's.
# find_python VERSION [PATH]: prints a Python of that version, PATH before others; fails where there is none.
# A name on the path may be a shim that fails: each is asked, none is trusted.
find_python() {
    for candidate in ${2:-} "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1"*/bin/"python$1" python3; do
        if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    return 1
}
