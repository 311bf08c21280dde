#!/bin/sh
# Makes .venv in the checkout, with what a command needs:
#
#     tests/tools/setup.sh run      the project, and the Debian packages of `make demo`
#     tests/tools/setup.sh rack     also the Debian packages of `make rack-demo`
#     tests/tools/setup.sh test     also what the tests and linters need
#
# PYTHON=/path/to/python chooses the Python. Ends with exit code 2 and says what to install where something is
# missing that it cannot install itself.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd -P)
cd "$here"

say() { printf "%s\n" "$@" >&2; }

stop() {
  say "$@"
  exit 2
}

has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

# --- Python -----------------------------------------------------------------------------------------------------------

# pyenv's shims answer for versions that they then refuse to run, so its own folders are searched too.
python_folders() {
  printf '%s\n' "$PATH" | tr ':' '\n' | while IFS= read -r folder; do
    printf '%s\n' "$folder"
    case $folder in */shims) printf '%s\n' "${folder%/shims}"/versions/*/bin ;; esac
  done
  printf '%s\n' /usr/local/bin /usr/bin "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/*/bin
}

# The versions that the tests run on come first.
pythons() {
  if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON"
    return
  fi
  for version in 3.13 3.12 3.14 3; do
    python_folders | while IFS= read -r folder; do
      if [ -x "$folder/python$version" ]; then printf '%s\n' "$folder/python$version"; fi
    done
  done
}

# Prints where the Python really is, if it is new enough and has the modules.
python_with() { "$2" -c "import sys$1; sys.version_info < (3, 12) and sys.exit(1); print(sys.executable)" 2>/dev/null; }

first_python() {
  pythons | while IFS= read -r candidate; do
    if python_with "$1" "$candidate"; then break; fi
  done
}

# One that can make environments, else one that only lacks the package for it.
find_python() {
  python=$(first_python ', ensurepip, venv')
  [ -n "$python" ] || python=$(first_python '')
  [ -n "$python" ] || stop "Python 3.12 or newer is needed${PYTHON:+, which PYTHON=$PYTHON is not}." \
    'On Debian 13: apt-get install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.13 ...'
}

# --- Debian packages --------------------------------------------------------------------------------------------------

# A command or file to look for, and the package it is in. mariadb-server and valkey-server would add services.
packages_of() {
  case $1 in
    run) printf '%s\n' 'ssh openssh-client' 'sshd openssh-server' ;;
    rack) packages_of run && printf '%s\n' '/usr/lib/frr/bgpd frr' 'lldpd lldpd' 'chronyd chrony' 'nc netcat-openbsd' \
      'nft nftables' 'ip iproute2' 'ping iputils-ping' 'arping iputils-arping' 'ethtool ethtool' 'iperf3 iperf3' \
      'openssl openssl' 'ipmi_sim openipmi' 'ipmitool ipmitool' 'snmpbulkwalk snmp' \
      'busybox busybox' ;;
    test) packages_of rack && printf '%s\n' 'mariadbd mariadb-server-core' 'my_print_defaults mariadb-client-core' \
      'cc gcc' '/usr/include/stdio.h libc6-dev' 'chromium chromium' \
      '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core' 'pg_ctlcluster postgresql' 'sudo sudo' \
      'faketime faketime' 'dnsmasq dnsmasq-base' 'bwrap bubblewrap' 'cmark-gfm cmark-gfm' 'fish fish' 'zsh zsh' 'fio fio' \
      'stress-ng stress-ng' 'curl curl' 'mawk mawk' 'gawk gawk' 'busybox busybox' \
      'prove perl' 'bats bats' 'smartctl smartmontools' 'valkey-check-rdb valkey-tools' 'prometheus prometheus' \
      'promtool promtool' 'mpirun openmpi-bin' 'ib_write_bw perftest' 'receptor receptor' ;;
  esac
}

missing_packages() {
  packages_of "$1" | while read -r thing package; do
    case $thing in
      /*) [ -e "$thing" ] || printf '%s ' "$package" ;;
      *) has "$thing" || printf '%s ' "$package" ;;
    esac
  done
  # Debian keeps ensurepip, without which an environment has no pip, in a package of its own.
  if [ -n "${python:-}" ] && ! python_with ', ensurepip, venv' "$python" >/dev/null; then
    "$python" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))'
  fi
}

may_install() { has apt-get && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Shows what the package manager says only where it fails.
apt_install() {
  say "Installing Debian packages: $*"
  log=$(mktemp)
  code=0
  apt_get_install "$@" >"$log" 2>&1 </dev/null || code=$?
  [ "$code" = 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$code"
}

# The policy file keeps Debian from starting the services of what is installed here.
apt_get_install() {
  # shellcheck disable=SC2016 # the inner shell expands them
  as_root sh -c '
    policy=/usr/sbin/policy-rc.d
    if ! [ -e "$policy" ]; then
      trap "rm -f $policy" EXIT
      trap "exit 1" HUP INT TERM
      printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    install() { apt-get install -y -q --no-install-recommends "$@"; }
    install "$@" || { apt-get update -q && install "$@"; }
  ' sh "$@"
}

need_packages() {
  # shellcheck disable=SC2046 # a list of words
  set -- $(missing_packages "$1")
  [ $# = 0 ] && return
  may_install || stop "Debian packages are missing: run  sudo apt-get install $*"
  apt_install "$@" || stop "apt-get could not install: $*"
}

# --- .venv ------------------------------------------------------------------------------------------------------------

# Also asks whether the environment still leads to this checkout.
is_ready() {
  [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ] && .venv/bin/python - "$here" 2>/dev/null <<'END'
import pathlib, sys
from ansible_collections.rack import recipes
sys.exit(pathlib.Path(*recipes.__path__).resolve() != pathlib.Path(sys.argv[1]))
END
}

# The commands in an environment hold its path, so one that was moved works only in part.
venv_works() {
  [ "$(sed -n 's/^command = .* -m venv --clear //p' .venv/pyvenv.cfg 2>/dev/null)" = "$here/.venv" ] &&
    .venv/bin/python -c 'import pip' 2>/dev/null
}

make_venv() {
  say "Making .venv with $python"
  "$python" -m venv --clear "$here/.venv"
  .venv/bin/python -m pip install --quiet 'pip>=25.1' # the first that knows dependency groups
}

# Most of what is installed is never imported; Python compiles what is.
install_project() {
  say "Installing the project into .venv ($1)"
  case $1 in
    run | rack) .venv/bin/python -m pip install --quiet --no-compile --editable . ;;
    test)
      .venv/bin/python -m pip install --quiet --no-compile --editable '.[postgresql]' --group dev
      # It brings a package named tests, which would hide ours.
      .venv/bin/python -m venv .venv/receptor
      .venv/receptor/bin/python -m pip install --quiet 'receptorctl>=1.5'
      .venv/bin/python tests/rack/network_collections.py >/dev/null
      .venv/bin/python tests/rack/eda_webhook_source.py >/dev/null
      ;;
  esac
  printf '%s\n' "$digest" >"$stamp"
}

case ${1:-} in run | rack | test) ;; *) stop "usage: tests/tools/setup.sh run|rack|test" ;; esac
stamp=.venv/ready-$1
digest=$(cat pyproject.toml hatch_build.py galaxy.yml | sha256sum)
venv_works || find_python
need_packages "$1"
venv_works || make_venv
is_ready || install_project "$1"
