# Functions for task scripts, written by the runner beside each of them. Use: . ./helper
# Scripts that source it stop at the first error, also inside pipes.
set -o errexit -o pipefail
shopt -s nullglob extglob globstar

export LC_ALL=C LANG=C LANGUAGE=C
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true

for __dir in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
    case ":$PATH:" in
        *":$__dir:"*) ;;
        *) PATH="$PATH:$__dir" ;;
    esac
done
unset __dir
export PATH

# OS_TYPE: ID such as debian or rocky; OS_VER: its version; OS_NAME: both; OS_FAMILY: rhel,
# debian, or the type itself.
__os_release() {
    local file
    for file in /etc/os-release /usr/lib/os-release; do
        if [[ -r $file ]]; then
            ( . "$file" && printf '%s\n%s\n%s\n' "${ID:-}" "${VERSION_ID:-}" "${ID_LIKE:-}" )
            return
        fi
    done
    if [[ -r /etc/redhat-release ]]; then
        printf 'centos\n%s\nrhel\n' "$(sed 's/[^0-9.]//g' /etc/redhat-release)"
    else
        printf '%s\n%s\n\n' "$(uname -s | tr '[:upper:]' '[:lower:]')" "$(uname -r)"
    fi
}
{ read -r OS_TYPE; read -r OS_VER; read -r __like || true; } < <(__os_release)
OS_NAME="$OS_TYPE-$OS_VER"
case " $OS_TYPE $__like " in
    *" rhel "* | *" fedora "* | *" centos "*) OS_FAMILY=rhel ;;
    *" debian "* | *" ubuntu "*) OS_FAMILY=debian ;;
    *) OS_FAMILY=$OS_TYPE ;;
esac
unset __like
export OS_TYPE OS_VER OS_NAME OS_FAMILY

# INITSTYLE is what starts services here: systemd, openrc, upstart or sysv.
if [[ -d /run/systemd/system ]] || command -v systemctl >/dev/null 2>&1; then
    INITSTYLE=systemd
elif command -v rc-service >/dev/null 2>&1; then
    INITSTYLE=openrc
elif command -v initctl >/dev/null 2>&1; then
    INITSTYLE=upstart
else
    INITSTYLE=sysv
fi
export INITSTYLE

# service NAME ACTION: start, stop, restart, reload, status, enable or disable a service.
service() {
    local name=$1 action=$2
    case $INITSTYLE:$action in
        systemd:*) systemctl "$action" "$name.service" ;;
        openrc:enable) rc-update add "$name" ;;
        openrc:disable) rc-update del "$name" ;;
        openrc:*) rc-service "$name" "$action" ;;
        upstart:enable | upstart:disable) ;; # jobs are on as soon as they are there
        upstart:*) initctl "$action" "$name" ;;
        sysv:enable) if command -v update-rc.d >/dev/null; then update-rc.d "$name" enable; else chkconfig "$name" on; fi ;;
        sysv:disable) if command -v update-rc.d >/dev/null; then update-rc.d "$name" disable; else chkconfig "$name" off; fi ;;
        sysv:*) "/etc/init.d/$name" "$action" ;;
    esac
}

# if_update_needed COMMAND...: run it, such as a refresh of package lists, unless it was run by a
# task of this runner within the last hour.
if_update_needed() {
    local stamp="${RS_RUNNER_DIR:-/tmp}/.package-lists"
    if [[ -n $(find "$stamp" -mmin -60 2>/dev/null || true) ]]; then
        return 0
    fi
    "$@"
    : >"$stamp"
}

# install PACKAGE...: with whatever installs packages here.
install() {
    if command -v apt-get >/dev/null 2>&1; then
        if_update_needed apt-get -y update
        apt-get -y install "$@"
    elif command -v dnf >/dev/null 2>&1; then
        dnf -y install "$@"
    elif command -v yum >/dev/null 2>&1; then
        yum -y install "$@"
    elif command -v zypper >/dev/null 2>&1; then
        zypper --non-interactive install "$@"
    elif command -v apk >/dev/null 2>&1; then
        apk add "$@"
    elif command -v pacman >/dev/null 2>&1; then
        pacman --noconfirm -S "$@"
    else
        echo "install: no known package manager on $OS_NAME" >&2
        return 1
    fi
}

# get_param NAME: the value of a param as this machine has or inherits it. A string is printed as
# it is, without quotes; anything else as JSON; null if there is none.
get_param() {
    drpcli machines get "$RS_UUID" param "$1" --aggregate | drpjq -r .
}

# set_param NAME [VALUE]: set a param on this machine; without VALUE it is read from stdin.
set_param() {
    if (( $# > 1 )); then
        drpcli machines set "$RS_UUID" param "$1" to "$2"
    else
        drpcli machines set "$RS_UUID" param "$1" to -
    fi
}

# __sane_exit: the exit codes of this script are read as below, whatever the task says.
__sane_exit() { : >"${RS_TASK_DIR:-.}/.sane-exit-codes"; }

# __exit CODE: end the script.
__exit() { exit "$1"; }

__leave() {
    __sane_exit
    __exit "$1"
}
exit_stop() { __leave 16; }                   # the runner ends
exit_shutdown() { __leave 32; }               # the machine powers off
exit_reboot() { __leave 64; }                 # the machine reboots
exit_incomplete() { __leave 128; }            # run this task again when the machine is runnable
exit_incomplete_shutdown() { __leave 160; }
exit_incomplete_reboot() { __leave 192; }

# addr_port ADDRESS PORT: joined, with brackets around an IPv6 address.
addr_port() {
    case $1 in
        *:*) printf '[%s]:%s\n' "$1" "$2" ;;
        *) printf '%s:%s\n' "$1" "$2" ;;
    esac
}
