#!/usr/bin/env bash
# Records the schedule of a command on this Linux machine as ftrace text: what ntps replays.
# Needs root. It uses a trace instance of its own and leaves all settings as it found them.
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
usage: record.sh [-o FILE] [-b KILOBYTES] [-q] COMMAND [ARGUMENT...]
  -o FILE       where the recording goes (default out.ftrace.gz)
  -b KILOBYTES  trace buffer of each processor (default 16384)
  -q            no irq and softirq events: the flags of each line tell of interrupts too
TEXT
  exit 2
}

out=out.ftrace.gz
buffer_kb=16384
interrupts=1
while getopts 'o:b:q' option; do
  case $option in
    o) out=$OPTARG ;;
    b) buffer_kb=$OPTARG ;;
    q) interrupts=0 ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
[ "$(id -u)" = 0 ] || { echo 'record.sh: tracefs needs root; run it with sudo' >&2; exit 1; }

events=(
  sched/sched_switch sched/sched_waking sched/sched_wakeup_new
  sched/sched_process_fork sched/sched_process_exec sched/sched_process_exit
  task/task_newtask task/task_rename
)
if [ "$interrupts" = 1 ]; then
  events+=(irq/irq_handler_entry irq/irq_handler_exit irq/softirq_entry irq/softirq_exit)
fi

tracing=/sys/kernel/tracing
mounted=0
if [ ! -e "$tracing/trace" ]; then
  mount -t tracefs nodev "$tracing"
  mounted=1
fi

# What differs from how it was found, each as a command that takes it back.
undo=()
restore() {
  local i
  for ((i = ${#undo[@]} - 1; i >= 0; i--)); do eval "${undo[i]}" || true; done
  if [ "$mounted" = 1 ]; then umount "$tracing" || true; fi
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# set_value FILE VALUE: writes a setting and takes it back at the end.
set_value() {
  local found
  found=$(cat "$1")
  undo+=("printf '%s\n' '${found%% (*}' > '$1'")
  printf '%s\n' "$2" > "$1"
}

instance="$tracing/instances/ntps.$$"
if mkdir "$instance" 2> /dev/null; then
  undo+=("rmdir '$instance'")
  at=$instance
else
  echo 'record.sh: this kernel has no trace instances; the top one is used' >&2
  at=$tracing
  undo+=("echo > '$at/trace'")
fi

set_value "$at/tracing_on" 0
# The clock in use is the one in brackets.
clock=$(sed 's/.*\[\(.*\)\].*/\1/' "$at/trace_clock")
undo+=("echo '$clock' > '$at/trace_clock'")
echo mono > "$at/trace_clock"
set_value "$at/buffer_size_kb" "$buffer_kb"
for option in record-tgid record-cmd; do
  for file in "$at/options/$option" "$tracing/options/$option"; do
    if [ -e "$file" ]; then
      set_value "$file" 1
      break
    fi
  done
done
if [ -e "$tracing/saved_cmdlines_size" ]; then set_value "$tracing/saved_cmdlines_size" 4096; fi
for event in "${events[@]}"; do
  if [ -e "$at/events/$event/enable" ]; then set_value "$at/events/$event/enable" 1; fi
done

echo > "$at/trace"
echo 1 > "$at/tracing_on"
status=0
"$@" || status=$?
echo 0 > "$at/tracing_on"

# The file name of a program is of no use to the replay and may tell more than it should.
sed -E '/ sched_process_exec: /s#filename=.*/([^/]*) pid=#filename=\1 pid=#' "$at/trace" |
  gzip -9 > "$out"

lost=$(cat "$at"/per_cpu/cpu*/stats | awk '/^(overrun|dropped events):/ { n += $NF } END { print n + 0 }')
if [ "$lost" -gt 0 ]; then
  echo "record.sh: $lost events were lost; a larger buffer (-b) would hold them" >&2
fi
echo "record.sh: $(zcat "$out" | grep -vc '^#') events in $out" >&2
exit "$status"
