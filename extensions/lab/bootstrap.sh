# shellcheck shell=bash
# Sourced by ./lab: what the machine must be able to do, and what gets installed when it is missing.

# Debian packages: the container engine, image building, and the programs that the tests use on this machine.
LAB_PACKAGES=(
    podman crun conmon netavark aardvark-dns iptables mmdebstrap zstd ca-certificates
    openssh-client iproute2 nftables openvpn iperf3 openssl softhsm2 opensc gnutls-bin
    postgresql bind9 bind9-utils bind9-dnsutils dnsmasq-base stubby easy-rsa zbar-tools gcc libc6-dev
    nginx-light pebble gunicorn python3-flask strace iputils-ping mtr-tiny
)
# What only the tests of web pages need.
BROWSER_PACKAGES=(chromium chromium-driver libnss3-tools)
LAB_DISK_GIB=5

check_machine() {
    local os
    [ "$(id -u)" -eq 0 ] || die "needs root: run it with sudo, or as root"
    # shellcheck source=/dev/null
    os=$(. /etc/os-release && echo "${ID:-unknown} ${VERSION_ID:-unknown}")
    [ "$os" = "debian 12" ] || die "needs Debian 12: this is ${os}"
    { [ -c /dev/net/tun ] && (: <>/dev/net/tun) 2>/dev/null; } || die "needs /dev/net/tun: there is none that can be opened (modprobe tun, or pass the device into the container)"
    unshare --mount true 2>/dev/null || die "needs the right to make mount namespaces (CAP_SYS_ADMIN): this container does not have it"
}

check_disk() {
    local free
    free=$(df --output=avail -k "$STATE" | tail -n 1)
    [ "$free" -ge $((LAB_DISK_GIB * 1024 * 1024)) ] || die "needs $LAB_DISK_GIB GiB free for $STATE: there are $((free / 1024 / 1024))"
}

# lab_step TEXT LOG COMMAND...: one line of progress with its time; the output goes to .lab/log/LOG.
lab_step() {
    local text=$1 log=$STATE/log/$2 began=$SECONDS
    shift 2
    say "$text ..."
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 5 "$log" >&2
        die "failed: $text; all of it is in $log"
    }
    say "$text: $((SECONDS - began)) s"
}

# A Python 3.11 that can make a virtual environment: Debian's own, else one in PATH.
find_python() {
    local python
    for python in /usr/bin/python3.11 python3.11; do
        if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

# missing_packages PACKAGE...: those that are not installed, one a line.
missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# add_packages PACKAGE...: have them installed.
add_packages() {
    export DEBIAN_FRONTEND=noninteractive
    lab_step "reading the package lists" apt-update.log apt-get -o DPkg::Lock::Timeout=300 update
    lab_step "installing $*" apt-install.log apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "$@"
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "${LAB_PACKAGES[@]}")
    find_python >/dev/null || missing+=(python3-venv)
    [ "${#missing[@]}" -eq 0 ] && return
    # The tests make database clusters of their own: Debian's, which would go on running after them, is not made.
    case " ${missing[*]} " in *" postgresql "*)
        mkdir -p /etc/postgresql-common/createcluster.d
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/privatespace-lab.conf
        ;;
    esac
    # So do they with name servers; a masked unit is not started by the package.
    case " ${missing[*]} " in *" bind9 "*)
        [ -e /etc/systemd/system/named.service ] || ln -s /dev/null /etc/systemd/system/named.service
        ;;
    esac
    case " ${missing[*]} " in *" stubby "*)
        [ -e /etc/systemd/system/stubby.service ] || ln -s /dev/null /etc/systemd/system/stubby.service
        ;;
    esac
    case " ${missing[*]} " in *" nginx-light "*)
        [ -e /etc/systemd/system/nginx.service ] || ln -s /dev/null /etc/systemd/system/nginx.service
        ;;
    esac
    add_packages "${missing[@]}"
}

# install_browser TEST...: what tests of web pages need, unless all of the named tests are among those that need none.
install_browser() {
    local missing test none=1
    for test in "$@"; do
        case $test in tests/unit* | tests/quality*) ;; *) none='' ;; esac
    done
    mapfile -t missing < <(missing_packages "${BROWSER_PACKAGES[@]}")
    [ -n "$none" ] || [ "${#missing[@]}" -eq 0 ] || (
        flock 8
        add_packages "${missing[@]}"
    ) 8>"$STATE/bootstrap.lock"
}

# uv reads no pip.conf: hand it what pip would use.
uv_settings() {
    local pip=$STATE/venv/bin/pip value
    value=${PIP_INDEX_URL:-$("$pip" config get global.index-url 2>/dev/null || true)}
    [ -z "$value" ] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$value}
    value=${PIP_EXTRA_INDEX_URL:-$("$pip" config get global.extra-index-url 2>/dev/null || true)}
    [ -z "$value" ] || export UV_INDEX=${UV_INDEX:-$(echo "$value" | xargs)} UV_INDEX_STRATEGY=${UV_INDEX_STRATEGY:-unsafe-best-match}
    value=${PIP_FIND_LINKS:-$("$pip" config get global.find-links 2>/dev/null || true)}
    [ -z "$value" ] || export UV_FIND_LINKS=${UV_FIND_LINKS:-$(echo "$value" | xargs)}
    export UV_CACHE_DIR=${UV_CACHE_DIR:-$STATE/cache/uv} UV_LINK_MODE=${UV_LINK_MODE:-hardlink}
}

install_python_packages() {
    "$STATE/venv/bin/pip" install --quiet --disable-pip-version-check uv
    uv_settings
    "$STATE/venv/bin/uv" pip install --python "$STATE/venv/bin/python" -r "$ROOT/tests/requirements.txt" ||
        "$STATE/venv/bin/pip" install --disable-pip-version-check -r "$ROOT/tests/requirements.txt"
}

bootstrap_stamp() {
    {
        cat "$ROOT/tests/requirements.txt" "$ROOT/extensions/lab/bootstrap.sh"
        echo "$ROOT"
    } | sha256sum
}

bootstrap() {
    check_machine
    export SSL_CERT_FILE=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
    export PIP_CERT=${PIP_CERT:-$SSL_CERT_FILE}
    [ "$(bootstrap_stamp)" = "$(cat "$STATE/stamp" 2>/dev/null)" ] && [ -x "$STATE/venv/bin/ansible-playbook" ] && return
    mkdir -p "$STATE/log" "$STATE/collections/ansible_collections/privatespace"
    (
        flock --nonblock 8 || {
            say "waiting for another ./lab to finish its installation"
            flock 8
        }
        [ "$(bootstrap_stamp)" = "$(cat "$STATE/stamp" 2>/dev/null)" ] && [ -x "$STATE/venv/bin/ansible-playbook" ] && exit
        check_disk
        install_packages
        "$STATE/venv/bin/python" -c '' 2>/dev/null ||
            lab_step "making the Python environment" venv.log "$(find_python)" -m venv --clear "$STATE/venv"
        lab_step "installing Ansible and the test tools" python.log install_python_packages
        ln -sfn "$ROOT" "$STATE/collections/ansible_collections/privatespace/gateway"
        bootstrap_stamp >"$STATE/stamp"
    ) 8>"$STATE/bootstrap.lock"
}

# What every command of the lab runs with; works the same for anything the tests start themselves.
lab_environment() {
    export PATH=$STATE/venv/bin:$PATH
    export ANSIBLE_HOME=$STATE/ansible ANSIBLE_COLLECTIONS_PATH=$STATE/collections ANSIBLE_PIPELINING=1
    export CONTAINERS_CONF=$STATE/containers.conf CONTAINERS_STORAGE_CONF=$STATE/storage.conf
    export PRIVATESPACE_CHECKOUT=$ROOT
}
