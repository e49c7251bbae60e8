# SPDX-License-Identifier: BSD-2-Clause
# Sourced by test scripts: TAP lines and what more than one script needs to know about the guest.

number=${first_number:-0}
bad=
checked=

option() { # NAME: the value of kensho.NAME= on the kernel command line
	for word in $(cat /proc/cmdline); do
		case $word in
		kensho."$1"=*) echo "${word#*=}" ;;
		esac
	done
}

complain() { bad="$bad${bad:+; }$*"; }

check() { # COMPLAINT COMMAND...: it must succeed
	checked=yes
	complaint=$1
	shift
	"$@" || complain "$complaint"
}

want() { # WHAT GOT WANTED
	check "$1: got '$2', want '$3'" [ "$2" = "$3" ]
}

more() { # WHAT BEFORE AFTER LEAST: a counter grew
	check "$1: got $2 to $3, want $4 more" [ $(($3 - $2)) -ge "$4" ]
}

# The test is over; what complain collected fails it, and that nothing was checked.
verdict() { # NAME
	number=$((number + 1))
	[ -n "$checked" ] || complain "no check was reached"
	if [ -z "$bad" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1 # $bad"
		dmesg | tail -n 20 | sed 's/^/# /'
	fi
	bad=
	checked=
}

# The count of an interrupt on one CPU: NAME of the row (LOC, RES, CAL, 14) and CPU. Columns are the
# online CPUs only.
interrupts() {
	awk -v row="$1:" -v cpu="CPU$2" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == cpu) column = i + 1 }
		$1 == row { print $column }' /proc/interrupts
}

# Arithmetic of the shell on one CPU, its result known; says which CPU it ended on.
work() { # CPU ROUNDS
	taskset -c "$1" sh -c '
		i=0 s=1
		while [ $i -lt '"$2"' ]; do
			s=$(((s * 31 + i) % 65521)) i=$((i + 1))
		done
		read -r stat </proc/$$/stat
		set -- ${stat##*) }
		echo "$s on CPU ${37}"'
}

# One pinned loop on each CPU at once.
work_everywhere() { # ROUNDS SUM
	cpu=0
	while [ $cpu -lt "$cpus" ]; do
		work $cpu "$1" >"/tmp/work$cpu" &
		cpu=$((cpu + 1))
	done
	wait
	cpu=0
	while [ $cpu -lt "$cpus" ]; do
		want "loop on CPU $cpu" "$(cat "/tmp/work$cpu")" "$2 on CPU $cpu"
		cpu=$((cpu + 1))
	done
}

all_online() {
	want "processors in cpuinfo" "$(grep -c '^processor' /proc/cpuinfo)" "$cpus"
	want "distinct APIC IDs" "$(awk '/^apicid/ { print $3 }' /proc/cpuinfo | sort -u | wc -l)" "$cpus"
	want "brought up" "$(dmesg | grep -c "Brought up 1 node, $cpus CPUs")" 1
}

# What a kernel says when something is wrong. Its opinion of the CPU's speculation is not about us.
quiet_dmesg() { # [REGEX of what is right here]
	dmesg | grep -iE -e 'call trace|BUG:|WARNING:|unchecked MSR|stall|lockup|hung|unstable|oops' \
		-e 'unknown NMI|NMI received|no irq handler|spurious|unexpected|firmware bug' \
		-e 'not responding|failed to (bring|come)|TSC.*warp|skew' \
		-e 'segfault|general protection|traps:' |
		grep -vE "RETBleed: WARNING|Spectre V2 : WARNING${1:+|$1}" >/tmp/warnings
	check "$(head -3 /tmp/warnings | tr '#\n' ' |')" [ ! -s /tmp/warnings ]
}
