/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the monitor's commands, and how a key or a line finds its row. Pure. */
#include "core/diag/log.h"
#include "core/lib/bits.h"
#include "core/mon/command_internal.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static void cmd_help(struct vp *vp, struct word args);

/* clang-format off */
const struct command commands[] = {
	{ "help",     '?', "", "list the commands", cmd_help },
	{ "counters", 'c', "", "dump the counters", cmd_counters },
	{ "regs",     'r', "[VP]", "dump the guest registers of one VP or of all", cmd_regs },
	{ "trace",    't', "", "dump the trace rings", cmd_trace },
	{ "audit",    'e', "", "audit the EPT", cmd_audit },
	{ "crash",    0, "", "print what the guest said when it crashed", cmd_crash },
	{ "vps",      'v', "[VP]", "say what each VP does and who holds it", cmd_vps },
	{ "hold",     0, "[VP]", "stop a VP, or all, before the next instruction", cmd_hold },
	{ "release",  0, "[VP]", "let a VP, or all, go on", cmd_release },
	{ "step",     0, "[VP]", "run one instruction of a held VP, or of all", cmd_step },
};
/* clang-format on */
const u32 command_count = ARRAY_SIZE(commands);

static void cmd_help(struct vp *vp, struct word args)
{
	log_info("monitor: a key acts at once; : begins a line with a command's name");
	for (u32 i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		log_info("monitor:  %c  %s%s%s: %s", c->key != 0 ? c->key : ' ', c->name,
			 c->args[0] != '\0' ? " " : "", c->args, c->help);
	}
}

bool command_vps(const struct vp *vp, struct word args, u32 *first, u32 *end)
{
	u32 count = vp->partition->vp_count;
	bool more;

	*first = 0;
	*end = count;
	if (args.len == 0)
		return true;
	if (!word_u32(word_cut(&args, ' ', &more), first) || args.len != 0 || *first >= count) {
		log_info("monitor: a VP is a number from 0 to %u", count - 1);
		return false;
	}
	*end = *first + 1;
	return true;
}

void command_key(struct vp *vp, char key)
{
	for (u32 i = 0; i < command_count; i++) {
		if (commands[i].key == key && key != 0) {
			commands[i].fn(vp, (struct word){ "", 0 });
			return;
		}
	}
	log_info("monitor: this key does nothing; ? lists those that do");
}

void command_line(struct vp *vp, struct word line)
{
	const char *closest = commands[0].name;
	u32 best = ~0u;
	struct word name;
	bool more = true;

	do {
		name = word_cut(&line, ' ', &more);
	} while (name.len == 0 && more);
	if (name.len == 0)
		return;
	for (u32 i = 0; i < command_count; i++) {
		if (word_is(name, commands[i].name)) {
			commands[i].fn(vp, line);
			return;
		}
		word_closer(name, commands[i].name, &best, &closest);
	}
	log_info("monitor: no command \"%.*s\"; the closest is \"%s\"", (int)name.len, name.s,
		 closest);
}
