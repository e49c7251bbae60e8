/* SPDX-License-Identifier: BSD-2-Clause */
/* Values like 1:0:2,2:0:3:event: connections and the ports they lead to. Boot time, pure. */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "hv/feature.h"

/* Cause (options): a value or combination that is not allowed.
 * Remedy: docs/options.md. */

/* The highest of each. */
#define ID_MAX   255u
#define VP_LAST  (VP_MAX - 1u)
#define SINT_MAX 15u

static struct config_ports *ports_of(struct options *o, const struct option_row *row)
{
	return (void *)((u8 *)o + row->offset);
}

static err_t refuse(struct parse *p, const struct option_row *row, struct word item,
		    const char *why)
{
	fmt_print(p->msg, p->msg_len,
		  "option %s=%.*s: %s; write ID:VP:SINT[:message|event], ID and VP 0 to %u, SINT "
		  "0 to %u",
		  row->name, (int)item.len, item.s, why, ID_MAX, SINT_MAX);
	return ERR_INVAL;
}

static bool number_is(struct word w, u32 max, u32 *val)
{
	u64 v;

	if (!word_number(w, &v) || v > max)
		return false;
	*val = (u32)v;
	return true;
}

static const char *parse_item(struct word item, struct config_port *port)
{
	bool has_vp, has_sint, has_kind;
	struct word id = word_cut(&item, ':', &has_vp);
	struct word vp = word_cut(&item, ':', &has_sint);
	struct word sint = word_cut(&item, ':', &has_kind);

	if (!has_vp || !has_sint)
		return "three numbers are needed";
	if (!number_is(id, ID_MAX, &port->id))
		return "a bad connection ID";
	if (!number_is(vp, VP_LAST, &port->vp))
		return "a bad virtual processor";
	if (!number_is(sint, SINT_MAX, &port->sint))
		return "a bad SINT";
	port->is_event = has_kind && word_is(item, "event");
	return !has_kind || port->is_event || word_is(item, "message") ? NULL : "a bad kind";
}

static bool is_taken(const struct config_ports *ports, const struct config_port *port)
{
	for (u32 i = 0; i < ports->count; i++) {
		if (ports->port[i].id == port->id && ports->port[i].is_event == port->is_event)
			return true;
	}
	return false;
}

err_t option_ports_set(struct parse *p, const struct option_row *row, struct word val)
{
	struct config_ports *ports = ports_of(p->o, row);
	bool more = !word_is(val, "none");

	*ports = (struct config_ports){ 0 };
	while (more) {
		struct word item = word_cut(&val, ',', &more);
		struct config_port port;
		const char *why = parse_item(item, &port);

		if (why == NULL && is_taken(ports, &port))
			why = "this connection is there already";
		if (why == NULL && ports->count == CONFIG_PORTS_MAX)
			why = "too many connections";
		if (why != NULL)
			return refuse(p, row, item, why);
		ports->port[ports->count++] = port;
	}
	return ERR_NONE;
}

void option_ports_value(const struct options *o, const struct option_row *row, char *text,
			size_t len)
{
	const struct config_ports *ports = (const void *)((const u8 *)o + row->offset);
	size_t n = fmt_print(text, len, "%s", ports->count == 0 ? "none" : "");

	for (u32 i = 0; i < ports->count && n < len; i++) {
		const struct config_port *port = &ports->port[i];

		n += fmt_print(text + n, len - n, "%s%u:%u:%u%s", i == 0 ? "" : ",", port->id,
			       port->vp, port->sint, port->is_event ? ":event" : "");
	}
}

err_t option_ports_check(struct parse *p)
{
	if (p->o->config.synic_loopback.count == 0 ||
	    (p->o->config.cpu_features & BIT64(FEATURE_HV_SYNIC)))
		return ERR_NONE;
	fmt_print(p->msg, p->msg_len,
		  "option synic_loopback: it needs hv-synic: add cpu=host,hv-synic or remove it");
	return ERR_NODEV;
}
