# shellcheck shell=bash
# Sourced by ./lab: one private mount namespace for the engine and everything that talks to it.
#
# crun refuses a machine that mounts cgroup v1 and v2 together. Nothing may change for the rest of the machine, so
# the lab sees cgroup v2 alone in a mount namespace of its own. The engine's volatile state is a tmpfs in there: when the
# namespace ends (machine restarted), the engine finds a fresh start, as after a boot. A sleeping process holds it open.

NAMESPACE_NAME="privatespace-lab $STATE"

# Runs inside the new namespace, then becomes the holder.
hold_namespace() {
    set -e
    if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
        umount -R /sys/fs/cgroup
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
    fi
    mkdir -p "$STATE/run" /run/containers
    mount -t tmpfs -o mode=0711 lab "$STATE/run"
    mount -t tmpfs -o mode=0711 lab /run/containers
    mount -t tmpfs -o mode=1777 lab /dev/shm
    echo $$ >"$STATE/namespace.pid"
    exec -a "$NAMESPACE_NAME" sleep infinity
}

# Whether a process is the holder, not another that got its number later.
is_holder() { [ "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" = "${NAMESPACE_NAME}infinity" ]; } 2>/dev/null

# Print the pid of a living process in the namespace: the holder, or a host's monitor when somebody killed the holder.
namespace_pid() {
    local pid
    pid=$(cat "$STATE/namespace.pid" 2>/dev/null) || pid=''
    if [ -n "$pid" ] && is_holder "$pid"; then
        echo "$pid"
        return
    fi
    pgrep -o -f "conmon .*$STATE/(run|storage)/"
}

start_namespace() {
    local log=$STATE/log/namespace.log
    rm -f "$STATE/namespace.pid"
    export STATE NAMESPACE_NAME
    export -f hold_namespace
    setsid unshare --mount --propagation private "$BASH" -c hold_namespace </dev/null >"$log" 2>&1 &
    for _ in {1..100}; do
        namespace_pid >/dev/null && return
        sleep 0.05
    done
    echo "lab: cannot prepare the mount namespace: $(tail -n 1 "$log")" >&2
    return 2
}

in_namespace() {
    local pid
    pid=$(namespace_pid) || { start_namespace && pid=$(namespace_pid); } || return 2
    nsenter --mount="/proc/$pid/ns/mnt" --wdns="$PWD" -- "$@"
}

end_namespace() {
    local pid
    pid=$(cat "$STATE/namespace.pid" 2>/dev/null) || return 0
    rm -f "$STATE/namespace.pid"
    ! is_holder "$pid" || kill "$pid"
}
