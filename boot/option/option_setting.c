/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of cpu= with a value: rows of hv/settings.def. Boot time, pure. */
#include "boot/option/option_internal.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define AT(field) (u32) offsetof(struct config, field)

/* clang-format off */
const struct cpu_setting cpu_settings[] = {
#define NUMBER(field, word, most, dflt, about) \
	{ .name = (word), .help = (about), .offset = AT(field), .max = (most), .number = (dflt) },
#define TEXT(field, word, most, dflt, about) \
	{ .name = (word), .help = (about), .offset = AT(field), .max = (most), .text = (dflt) },
#include "hv/settings.def"
};
/* clang-format on */

const u32 cpu_setting_count = ARRAY_SIZE(cpu_settings);

static void *field_of(struct config *c, const struct cpu_setting *s)
{
	return (u8 *)c + s->offset;
}

void option_settings_default(struct config *c)
{
	for (u32 i = 0; i < cpu_setting_count; i++) {
		const struct cpu_setting *s = &cpu_settings[i];

		if (s->text == NULL)
			memcpy(field_of(c, s), &s->number, sizeof(s->number));
		else
			fmt_print(field_of(c, s), s->max + 1, "%s", s->text);
	}
}

const struct cpu_setting *option_setting_find(struct word name)
{
	for (u32 i = 0; i < cpu_setting_count; i++) {
		if (option_cpu_is_named(name, cpu_settings[i].name))
			return &cpu_settings[i];
	}
	return NULL;
}

err_t option_setting_set(struct parse *p, const struct cpu_setting *s, struct word val)
{
	u64 number;

	if (s->text != NULL) {
		memset(field_of(&p->o->config, s), 0, s->max + 1);
		if (val.len > s->max || val.len == 0) {
			fmt_print(p->msg, p->msg_len,
				  "option cpu: %s=%.*s: give 1 to %u characters", s->name,
				  (int)val.len, val.s, s->max);
			return ERR_RANGE;
		}
		fmt_print(field_of(&p->o->config, s), s->max + 1, "%.*s", (int)val.len, val.s);
		return ERR_NONE;
	}
	if (!word_number(val, &number) || number > s->max) {
		fmt_print(p->msg, p->msg_len,
			  "option cpu: %s=%.*s: give a number from 0 to %u (0x%x)", s->name,
			  (int)val.len, val.s, s->max, s->max);
		return ERR_RANGE;
	}
	memcpy(field_of(&p->o->config, s), &number, sizeof(s->number));
	return ERR_NONE;
}

static u32 number_of(const struct config *c, const struct cpu_setting *s)
{
	u32 number;

	memcpy(&number, (const u8 *)c + s->offset, sizeof(number));
	return number;
}

bool option_setting_is_off(const struct config *c, const struct cpu_setting *s)
{
	return s->text == NULL && number_of(c, s) == s->max;
}

size_t option_setting_value(const struct config *c, const struct cpu_setting *s, char *text,
			    size_t len)
{
	const char *is = (const char *)c + s->offset;

	if (s->text != NULL)
		return strcmp(is, s->text) == 0 ? 0 : fmt_print(text, len, ",%s=%s", s->name, is);
	return number_of(c, s) == s->number
		       ? 0
		       : fmt_print(text, len, ",%s=%u", s->name, number_of(c, s));
}
