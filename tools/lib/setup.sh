# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Sourced by scripts: packages, compiler cache, configuring. They set $top, the tree.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 2; }

# missing_packages GROUP...: those of tools/lib/packages that are not installed, on one line.
missing_packages() {
	local group name package groups=" $* "

	while read -r group package; do
		[[ $groups == *" $group "* ]] || continue
		name=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) || name=
		[[ $name == ii* ]] || printf '%s ' "$package"
	done < <(grep -v '^#' "$top/tools/lib/packages")
}

# need_packages GROUP...: install what is missing, as root or with sudo; quiet when all is there.
need_packages() {
	local missing log root=()

	if ! command -v dpkg-query >/dev/null; then
		say "not a Debian system: please provide what tools/lib/packages lists for: $*"
		return 0
	fi
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "these packages are missing, and there is neither" \
			"root nor sudo to install them. As root: apt-get install $missing"
		root=(sudo)
	fi
	say "installing: $missing"
	log=$(mktemp)
	# shellcheck disable=SC2086 # a list of words
	if ! { "${root[@]}" apt-get -qq -o Acquire::Retries=3 update &&
		"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
			-o Acquire::Retries=3 install --no-install-recommends $missing
	} >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "could not install: $missing"
	fi
	rm -f "$log"
}

# quietly LOG WHAT COMMAND...: run; on failure show the end of what it said, and stop.
quietly() {
	local log=$1 what=$2
	shift 2
	"$@" >"$log" 2>&1 && return
	tail -n 60 "$log" >&2
	die "$what failed; all of it is in $log"
}

# configure DIR [CMAKE-ARGUMENT]...: a build folder, with ccache where there is one.
configure() {
	local dir=$1
	shift
	if command -v ccache >/dev/null; then
		set -- "$@" -DCMAKE_C_COMPILER_LAUNCHER=ccache
	fi
	mkdir -p "$dir"
	quietly "$dir/configure.log" "configuring $dir" cmake -S "$top" -B "$dir" -G Ninja "$@"
}

# build DIR JOBS [TARGET]...: progress only on a terminal.
build() {
	local dir=$1 jobs=$2
	shift 2
	if [ -t 2 ]; then
		ninja -C "$dir" -j "$jobs" "$@" >&2 || die "building $dir failed"
	else
		quietly "$dir/build.log" "building $dir" ninja -C "$dir" -j "$jobs" "$@"
	fi
}
