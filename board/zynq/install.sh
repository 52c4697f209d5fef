#!/bin/sh
# Puts fractrain on the board: software, settings, device tree, bitstream. See --help.
#
# It installs the tree that it lies in. For another machine it sends that tree as one tar stream and
# runs itself there, so both ways end in the same lines of this file.
set -eu
# What would change the meaning of a command below; files are for everybody to read.
unset CDPATH GREP_OPTIONS TAR_OPTIONS GZIP POSIXLY_CORRECT PYTHONHOME PYTHONPATH PYTHONINSPECT
LC_ALL=C
export LC_ALL
umask 022

# What the board gets of the tree.
SENT='fractrain host hw gen sim configs board'

usage() {
    cat <<'END'
usage: install.sh [--dry-run] [--target TARGET] [USER@]BOARD [BITSTREAM_FOLDER]     over ssh
       install.sh [--dry-run] [--target TARGET] --root DIR [BITSTREAM_FOLDER]       into DIR: / on
                                                                            the board itself
       install.sh --uninstall [USER@]BOARD | --uninstall --root DIR

Installs the training driver (Python only: nothing is compiled on the board) with its settings:

  /usr/local/bin/fractrain                the command
  /usr/local/lib/fractrain/VERSION/       the software; `current` points at the one in use
  /etc/modprobe.d, /etc/modules-load.d    UIO and u-dma-buf: loaded at boot, told what to take
  /etc/udev/rules.d/60-fractrain.rules    devices for the group fractrain
  /boot/fractrain/fractrain.dtbo          the device tree overlay, where dtc is installed here
  /lib/firmware/fractrain/                bitstream.json and .bin of BITSTREAM_FOLDER, if given

BITSTREAM_FOLDER is what `make bitstream` leaves (build/bitstream-CONFIG). TARGET is the board, a
folder of board/ that has fractrain-overlay.dts; a bitstream says its own. A new version is complete
before the link moves to it, and the one before it stays until the next installation. The same
again changes nothing. --dry-run says what would be done. docs/board.md has the steps around it.

exit codes: 0 done; 1 any other error; 2 wrong arguments; 3 a file is missing or damaged;
            4 a program or a Python package is missing
END
}

fail() { # CODE TEXT
    printf 'install.sh: error: %s\n' "$2" >&2
    exit "$1"
}

note() { printf 'install.sh: note: %s\n' "$1" >&2; }

say() { printf '%s\n' "$1"; }

copy_tree() { # FOLDER
    # The link to the constraints would lead nowhere: the board has none.
    # shellcheck disable=SC2086 # a list
    (cd -- "$tree" && tar -cf - --exclude=__pycache__ --exclude=fractrain/constraints $SENT) |
        (cd -- "$1" && tar -xf -)
}

# -- arguments -----------------------------------------------------------------------------------

board='' root='' target='' bitstream='' dry='' uninstall=''
while [ "$#" -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --dry-run) dry=yes ;;
    --uninstall) uninstall=yes ;;
    --root)
        [ "$#" -gt 1 ] || fail 2 "--root: got nothing, allowed: the folder to install into"
        root=$2
        shift
        ;;
    --root=*) root=${1#--root=} ;;
    --target)
        [ "$#" -gt 1 ] || fail 2 "--target: got nothing, allowed: the name of a board; see --help"
        target=$2
        shift
        ;;
    --target=*) target=${1#--target=} ;;
    -*) fail 2 "unknown option $1; see --help" ;;
    *)
        if [ -z "$root$board" ]; then
            board=$1
        elif [ -z "$bitstream" ]; then
            bitstream=$1
        else
            fail 2 "too many arguments: $1; see --help"
        fi
        ;;
    esac
    shift
done
# --root may stand behind the bitstream's folder.
if [ -n "$root" ] && [ -n "$board" ]; then
    [ -z "$bitstream" ] || fail 2 "either a board or --root DIR, not both; see --help"
    bitstream=$board
    board=''
fi
[ -n "$root$board" ] || fail 2 "say where: [USER@]BOARD, or --root DIR; see --help"
[ -z "$uninstall" ] || [ -z "$bitstream" ] || fail 2 "--uninstall takes no bitstream"

tree=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
case $tree$root$bitstream${TMPDIR-} in
*"
"*) fail 2 "a path has a line break, which this script cannot have in one: $tree $root $bitstream" ;;
esac
for name in fractrain host hw gen sim configs board/zynq; do
    [ -d "$tree/$name" ] || fail 3 "$tree has no folder $name: run install.sh from the project's tree"
done

# -- which target --------------------------------------------------------------------------------

known=''
for each in "$tree"/board/*/fractrain-overlay.dts; do
    each=${each%/*}
    known="$known${known:+ }${each##*/}"
done
if [ -n "$bitstream" ]; then
    [ -f "$bitstream/bitstream.json" ] ||
        fail 3 "$bitstream has no bitstream.json; give the folder that 'make bitstream' made"
    for each in "$bitstream"/fractrain_*.bin; do
        [ -f "$each" ] || fail 3 "$bitstream has no fractrain_TARGET.bin; give the folder that 'make bitstream' made"
        each=${each##*/fractrain_}
        target=${target:-${each%.bin}}
    done
fi
bin=fractrain_$target.bin
overlay_source=$tree/board/$target/fractrain-overlay.dts
if [ -n "$target" ] && [ ! -f "$overlay_source" ]; then
    fail 2 "--target: got $target, allowed: one of $known"
fi

if [ -n "$bitstream" ]; then
    [ -f "$bitstream/$bin" ] || fail 3 "$bitstream has no $bin: it is for another board than $target"
    sum=$(sha256sum <"$bitstream/$bin" | cut -d ' ' -f 1)
    grep -q "$sum" "$bitstream/bitstream.json" ||
        fail 3 "$bitstream/$bin is not the file that bitstream.json describes: run 'make bitstream' again"
    bitstream=$(CDPATH='' cd -- "$bitstream" && pwd)
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# -- over ssh ------------------------------------------------------------------------------------

# What the board does with the stream. Its sudo cannot ask for a password: input is the stream.
# shellcheck disable=SC2016 # the board expands it
remote='set -eu
folder=$(mktemp -d)
trap "rm -rf -- \"\$folder\"" EXIT
(cd -- "$folder" && tar -xzf -)
if [ "$(id -u)" -eq 0 ]; then become=; else
    become="sudo -n"
    sudo -n true 2>/dev/null || {
        echo "install.sh: error: this user is not root, and sudo wants a password: log in as root," \
            "or let sudo do without one" >&2
        exit 1
    }
fi
command -v python3 >/dev/null || {
    echo "install.sh: error: python3 is not installed: apt-get install python3-numpy python3-yaml" >&2
    exit 4
}
python3 "$folder/board/zynq/check_python.py"
bitstream=
[ ! -d "$folder/bitstream" ] || bitstream=$folder/bitstream
$become sh "$folder/board/zynq/install.sh" '

if [ -n "$board" ]; then
    command -v ssh >/dev/null || fail 4 "ssh is not installed: apt-get install openssh-client"
    mkdir "$scratch/send"
    copy_tree "$scratch/send"
    if [ -n "$bitstream" ]; then
        # What Linux needs of it; reports, .bit and .xsa stay here.
        mkdir "$scratch/send/bitstream"
        for name in bitstream.json "$bin"; do
            cp "$bitstream/$name" "$scratch/send/bitstream/$name"
        done
    fi
    if [ -n "$target" ] && command -v dtc >/dev/null; then
        # The board need not have it.
        mkdir "$scratch/send/built"
        dtc -@ -I dts -O dtb -o "$scratch/send/built/fractrain.dtbo" "$overlay_source"
    fi
    # cd, not -C: tar takes a backslash in that for an escape
    (cd -- "$scratch/send" && tar -czf - .) |
        ssh -- "$board" "$remote ${dry:+--dry-run} ${uninstall:+--uninstall} ${target:+--target $target} --root / \$bitstream"
    exit
fi

# -- here: what is put where ---------------------------------------------------------------------

[ -d "$root" ] || fail 3 "--root: there is no folder $root"
case $root in
/) root='' ;;
/*) ;;
*) root=$PWD/$root ;;
esac
root=${root%/}

library=$root/usr/local/lib/fractrain
command=$root/usr/local/bin/fractrain
firmware=$root/lib/firmware/fractrain
overlay=$root/boot/fractrain/fractrain.dtbo
modprobe=$root/etc/modprobe.d/fractrain.conf
modules=$root/etc/modules-load.d/fractrain.conf
rules=$root/etc/udev/rules.d/60-fractrain.rules

checksum() { # FOLDER: one number for all files in it
    (cd "$1" && find . -type f ! -path '*/__pycache__/*' -exec sha256sum {} + | LC_ALL=C sort | sha256sum | cut -c 1-12)
}

place() { # FILE TARGET MODE: whole or not at all; nothing if it is there already
    if cmp -s "$1" "$2"; then return; fi
    say "  $2"
    [ -z "$dry" ] || return 0
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.new"
    chmod "$3" "$2.new"
    mv "$2.new" "$2"
}

point() { # LINK NAME: the link leads to NAME in its own folder, from one moment to the next
    ln -sfn "$2" "$1.new"
    mv -T "$1.new" "$1"
}

publish() { # FOLDER LINK PREFIX: FOLDER becomes LINK's target beside it, named by its checksum
    version=$3$(checksum "$1")
    place_of_version=$(dirname "$2")/$version
    before=$(readlink "$2" 2>/dev/null || true)
    if [ "$before" = "$version" ] && [ -d "$place_of_version" ]; then return; fi
    if [ -d "$2" ] && [ ! -L "$2" ]; then
        fail 1 "$2 is a folder that install.sh did not make: move it away first"
    fi
    say "  $2 -> $version"
    [ -z "$dry" ] || return 0
    mkdir -p "$(dirname "$2")"
    rm -rf "$place_of_version.new"
    if [ ! -d "$place_of_version" ]; then
        cp -R "$1" "$place_of_version.new"
        chmod -R u=rwX,go=rX "$place_of_version.new"
        # A user who may not write there would compile it anew at each start.
        if command -v python3 >/dev/null; then
            python3 -m compileall -q "$place_of_version.new" >/dev/null || true
        fi
        mv "$place_of_version.new" "$place_of_version"
    fi
    point "$2" "$version"
    # What runs has the version before open; those before it go.
    for old in "$(dirname "$2")/$3"*; do
        case ${old##*/} in
        "$version" | "$before" | current) ;;
        "$3"????????????) [ ! -d "$old" ] || [ -L "$old" ] || rm -rf "$old" ;;
        esac
    done
}

remove() { # PATH…
    for path in "$@"; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            say "  $path"
            [ -n "$dry" ] || rm -rf "$path"
        fi
    done
}

would=${dry:+would be }
if [ -n "$uninstall" ]; then
    say "${would}removed:"
    remove "$command" "$library" "$firmware" "$firmware"-???????????? "$modprobe" "$modules" "$rules" \
        "$root/boot/fractrain"
    exit 0
fi

if [ -z "$root" ]; then
    [ "$(id -u)" -eq 0 ] || [ -n "$dry" ] || fail 1 "installing into / takes root: run it with sudo"
    command -v python3 >/dev/null || fail 4 "python3 is not installed: apt-get install python3"
    python3 "$tree/board/zynq/check_python.py"
elif [ ! -d "$root/usr/lib/python3/dist-packages/numpy" ]; then
    note "$root has no python3-numpy of Debian; the board needs it: apt-get install python3-numpy python3-yaml"
fi

mkdir "$scratch/software" "$scratch/bitstream"
copy_tree "$scratch/software"
cat >"$scratch/command" <<'END'
#!/bin/sh
# fractrain, as board/zynq/install.sh has put it here. The version is taken once, at the start: a
# training that runs goes on with its own when another one is installed.
here=$(dirname -- "$(readlink -f -- "$0")")
library=$(readlink -f -- "$here/../lib/fractrain/current")
PYTHONPATH=$library${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
# -P: a folder called host where the user happens to be is none of ours.
exec python3 -P -m fractrain "$@"
END

say "${would}installed:"
publish "$scratch/software" "$library/current" ''
place "$scratch/command" "$command" 755
place "$tree/board/zynq/modprobe.conf" "$modprobe" 644
place "$tree/board/zynq/modules-load.conf" "$modules" 644
place "$tree/board/zynq/udev.rules" "$rules" 644
if [ -z "$target" ]; then
    [ -e "$overlay" ] || note "no device tree overlay: a bitstream, or --target with one of $known, says whose"
elif [ -f "$tree/built/fractrain.dtbo" ]; then
    place "$tree/built/fractrain.dtbo" "$overlay" 644
elif command -v dtc >/dev/null; then
    dtc -@ -I dts -O dtb -o "$scratch/fractrain.dtbo" "$overlay_source"
    place "$scratch/fractrain.dtbo" "$overlay" 644
else
    note "no dtc here: the device tree overlay is not compiled (apt-get install device-tree-compiler)"
fi
if [ -n "$bitstream" ]; then
    cp "$bitstream/bitstream.json" "$bitstream/$bin" "$scratch/bitstream"
    publish "$scratch/bitstream" "$firmware" fractrain-
else
    [ -e "$firmware" ] || note "no bitstream was given: 'make bitstream' makes one"
fi
if [ -z "$root" ] && [ -z "$dry" ]; then
    getent group fractrain >/dev/null || groupadd --system fractrain
    ! command -v udevadm >/dev/null || udevadm control --reload || true
fi
say "next: merge the device tree overlay and reboot (docs/board.md), then: sudo fractrain board bringup"
