#!/bin/bash
# Makes a folder with what the board has of Debian 12 for armhf: Python, NumPy, PyYAML, and pytest.
#
# usage: root.sh FOLDER. Packages are downloaded by apt, verified by its keys, and unpacked; none is
# configured, so this takes no root rights, no binfmt and no second architecture in this system.
# Does nothing where the folder is complete already.
set -euo pipefail

SUITE=bookworm
PACKAGES=(python3 python3-numpy python3-yaml python3-pytest python3-hypothesis python3-scipy)
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

target=$(realpath -m "$1")
stamp=$target/complete
[ "$(cat "$stamp" 2>/dev/null)" != "$SUITE ${PACKAGES[*]}" ] || exit 0
echo "making $target from Debian's packages (once) ..."
rm -rf "$target"
mkdir -p "$target"/apt/{lists,archives}/partial "$target/root"

# The mirror that this system has for Debian, if it is one of Debian.
mirror=$(apt-get indextargets --format "\$(SITE)" 'Origin: Debian' "Codename: $SUITE" | head -n 1)
: >"$target/apt/status"
echo "deb [signed-by=$KEYRING] ${mirror:-http://deb.debian.org/debian} $SUITE main" >"$target/apt/sources"
cat >"$target/apt/config" <<END
Dir::State::lists "$target/apt/lists";
Dir::State::status "$target/apt/status";
Dir::State::extended_states "$target/apt/extended_states";
Dir::Cache "$target/apt";
Dir::Etc::sourcelist "$target/apt/sources";
Dir::Etc::sourceparts "-";
APT::Architecture "armhf";
APT::Architectures { "armhf"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Debug::NoLocking "true";
END
export APT_CONFIG=$target/apt/config
apt-get -qq update
apt-get -qq --yes --download-only install "${PACKAGES[@]}"
for package in "$target"/apt/archives/*.deb; do
    # Packages still have files in /lib that Debian's systems keep in /usr/lib.
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$target/root" --no-same-owner
done
# What update-alternatives would do: nothing has run the packages' scripts.
for library in blas lapack; do
    ln -s "$library/lib$library.so.3" "$target/root/usr/lib/arm-linux-gnueabihf/lib$library.so.3"
done
rm -rf "$target/apt"
echo "$SUITE ${PACKAGES[*]}" >"$stamp"
