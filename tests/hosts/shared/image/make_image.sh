#!/usr/bin/env bash
# make_image.sh SUITE: sees to it that the image ia0-host:SUITE is there, a Debian that boots systemd and lets
# `ansible` in over ssh. Made with mmdebstrap, since that needs no registry; kept under the user's cache folder.
set -euo pipefail
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
image=localhost/ia0-host

# A bare host: what debian-installer leaves behind, Python for Ansible, and what a test looks with. libgomp1 is what
# the test releases' llama.cpp is linked against; Ollama's own releases bring theirs.
packages=systemd,systemd-sysv,libpam-systemd,dbus,polkitd,python3,python3-apt,sudo,openssh-server,ca-certificates,curl,iproute2,procps,libgomp1

key=$(cat "$0" "$here/molecule-init" "$here/customize.sh" | sha256sum | cut -c 1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ia0-hosts
archive=$cache/$suite-$key.tar

if podman image exists "$image:$suite-$key"; then
  podman tag "$image:$suite-$key" "$image:$suite"
  exit 0
fi

mkdir -p "$cache"
exec 9> "$cache/.lock-$suite"
flock 9
if [ ! -s "$archive" ]; then
  rm -f "$cache/$suite-"*.tar
  # The name of the unfinished file does not end in .tar, by which mmdebstrap would choose its format.
  mmdebstrap --quiet --format=tar --variant=minbase --include="$packages" \
    --customize-hook="upload $here/molecule-init /usr/local/sbin/molecule-init" \
    --customize-hook="upload $here/customize.sh /tmp/customize.sh" \
    --customize-hook='chroot "$1" sh /tmp/customize.sh' \
    --customize-hook='rm "$1/tmp/customize.sh"' \
    "$suite" "$archive.new" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
  mv "$archive.new" "$archive"
fi
podman import --quiet --change 'CMD ["/usr/local/sbin/molecule-init"]' --change 'STOPSIGNAL SIGRTMIN+3' \
  --change 'ENV container=podman' --change 'ENV LANG=C.UTF-8' "$archive" "$image:$suite-$key" > /dev/null
podman tag "$image:$suite-$key" "$image:$suite"
