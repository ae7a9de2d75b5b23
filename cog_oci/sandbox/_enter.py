"""What a shell does inside the new namespaces, on the host's root, before it becomes the program."""

from __future__ import annotations

__all__ = ["ENTER"]

ENTER = r"""
set -eu
umask 022
scratch=$1; lower=$2; workdir=$3; shift 3
if [ "$WAIT" ]; then echo > "$scratch/entered"; read -r _ < "$scratch/mapped"; fi
mount -t tmpfs -o mode=0755 tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
root=$scratch/root; upper=$scratch/upper
over() { mount -t overlay -o "lowerdir=$lower,upperdir=$1/upper,workdir=$1/work,userxattr" overlay "$root"; }
if [ "$KEEP" ] && over "$KEEP" 2>/dev/null; then upper=$PWD/$KEEP/upper; else over "$scratch"; fi
if [ "$KEEP" ]; then
  mkdir "$scratch/nothing" "$scratch/below"
  mount -t overlay -o "lowerdir=$lower:$scratch/nothing,userxattr" overlay "$scratch/below"
fi
"$PYTHON" -I -S -X utf8 "$PLACES" "$scratch" "$root" "$workdir"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"; ln -s fd/0 "$root/dev/stdin"; ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mkdir "$root/dev/pts"; ln -s pts/ptmx "$root/dev/ptmx"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts" 2>/dev/null || :
mkdir -m 1777 "$root/dev/shm"; mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
cd /
become='exec "$PYTHON" -I -S -X utf8 "$BECOME" "$root" "$workdir" "$WHO"'
[ -z "$WHO" ] || eval "$become $INSIDE -- \"\$@\""
[ "$KEEP" ] || eval "exec unshare --root=\"\$root\" --wd=\"\$workdir\" -- env -i $INSIDE \"\$@\""
for part in bus fs irq sys sysrq-trigger; do  # what root may write there is the whole machine's
  mount --bind "$root/proc/$part" "$root/proc/$part" 2>/dev/null || continue
  mount -o remount,bind,ro "$root/proc/$part"
done
: > "$RESULT.entered"
unshare --mount -- "$PYTHON" -I -S -X utf8 "$PIVOT" "$root" "$workdir" "$scratch/env" "$@" </dev/null || exit
kill -9 -1 2>/dev/null || :  # what it has left running
exec "$PYTHON" -I -S -X utf8 "$AFTER" "$upper" "$scratch/below" "$scratch/places" "$RESULT"
"""
"""$1 is the scratch folder, $2 the lower layers, $3 the working folder, and the program follows.

Variables: KEEP, AFTER and RESULT are as Keeping has them, INSIDE is the environment of the program, quoted for a shell,
where nothing is kept; WHO is the user that it is run as, where it is another than root; with WAIT, whoever has started
this hears of it by the pipe `entered`, and says by the pipe `mapped` that there are users now. The others are for the
programs that it starts. Everything
that the host shows is bound one by one: no other folder of it is visible in the root.
"""
