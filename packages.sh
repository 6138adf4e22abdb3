# Sourced by quickstart and check: install the Debian packages they name, where any is
# missing. Other systems: install the same by hand.
install_packages() {
    missing=""
    for package in "$@"; do
        state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
        case "$state" in
        *"ok installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -z "$missing" ] && return 0
    if ! command -v apt-get >/dev/null; then
        echo "please install the equivalents of:$missing" >&2
        exit 1
    fi
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    echo "installing:$missing"
    log=$(mktemp)
    if ! { $sudo apt-get update && DEBIAN_FRONTEND=noninteractive \
           $sudo apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -20 "$log" >&2
        echo "apt-get failed; its output is in $log" >&2
        exit 1
    fi
    rm -f "$log"
}

# What building and running falign takes.
BUILD_PACKAGES="gcc libc6-dev binutils meson ninja-build pkg-config python3
    ocl-icd-opencl-dev opencl-headers pocl-opencl-icd zlib1g-dev libcjson-dev
    libyaml-dev libopenblas-dev liblapacke-dev"
