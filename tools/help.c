/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <string.h>

enum {
	WIDTH = 79,
	OPTION_COLUMN = 30, /* where an option's help begins */
	NAME_COLUMN = 18,   /* where a command's summary begins */
};

/* Print the words of @text from @column on, further lines indented to @indent. */
void cli_wrap(FILE *out, const char *text, int column, int indent)
{
	while (*text) {
		int len = (int)strcspn(text, " \n");

		if (column > indent && column + 1 + len > WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column < indent)
			column += fprintf(out, "%*s", indent - column, "");
		else if (column > indent)
			column += fprintf(out, " ");
		column += fprintf(out, "%.*s", len, text);
		text += len;
		text += strspn(text, " \n");
	}
	fputc('\n', out);
}

/* Paragraphs are separated by blank lines; a line that begins with a space is printed as it is. */
static void print_paragraphs(FILE *out, const char *text)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		char paragraph[4096];

		fputc('\n', out);
		snprintf(paragraph, sizeof(paragraph), "%.*s", (int)len, text);
		if (*text == ' ' || *text == '\t')
			fprintf(out, "%s\n", paragraph);
		else
			cli_wrap(out, paragraph, 0, 0);
		text += len;
		text += strspn(text, "\n");
	}
}

static void print_item(FILE *out, const char *left, const char *help, int indent)
{
	int column = fprintf(out, "  %s", left);

	if (column >= indent) {
		fputc('\n', out);
		column = 0;
	} else {
		/* cli_wrap() puts one space between words itself */
		column += fprintf(out, "%*s", indent - column, "");
	}
	cli_wrap(out, help, column, indent);
}

char *cli_option_form(const struct cli_option *option, char *text, size_t size)
{
	char letter[] = { '-', option->letter, ',', ' ', '\0' };

	snprintf(text, size, "%s--%s%s%s", option->letter ? letter : "", option->name,
		 option->arg ? "=" : "", option->arg ? option->arg : "");
	return text;
}

void cli_help_command(FILE *out, const struct cli_command *cmd)
{
	fprintf(out, "Usage: dvmsim %s [OPTION]...%s%s\n", cmd->name, cmd->operands[0] ? " " : "",
		cmd->operands);
	fprintf(out, "%s.\n", cmd->summary);
	if (cmd->details)
		print_paragraphs(out, cmd->details);
	fputs("\nOptions:\n", out);
	for (const struct cli_option *o = cmd->options; o->name; o++) {
		char form[80], left[96];

		cli_option_form(o, form, sizeof(form));
		snprintf(left, sizeof(left), "%s%s", o->letter ? "" : "    ", form);
		print_item(out, left, o->help, OPTION_COLUMN);
	}
	print_item(out, "    --help", "Print this help.", OPTION_COLUMN);
	if (cmd->examples)
		fprintf(out, "\nExamples:\n%s\n", cmd->examples);
}

bool cli_in_family(const struct cli_command *cmd, const char *name, size_t len)
{
	return !strncmp(cmd->name, name, len) && cmd->name[len] == ' ';
}

/* The commands of one family, or with @family NULL those that have no verbs; how many. */
static size_t print_commands(FILE *out, const char *title, const char *family)
{
	size_t printed = 0;

	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];

		if (family ? !cli_in_family(cmd, family, strlen(family)) :
			     strchr(cmd->name, ' ') != NULL)
			continue;
		if (!printed++)
			fprintf(out, "\n%s:\n", title);
		print_item(out, cmd->name, cmd->summary, NAME_COLUMN);
	}
	return printed;
}

void cli_help_family(FILE *out, const struct cli_family *family)
{
	fprintf(out, "Usage: dvmsim %s VERB [OPTION]... [ARGUMENT]...\n", family->name);
	print_commands(out, family->summary, family->name);
	fprintf(out, "\n'dvmsim %s VERB --help' says what one verb takes.\n", family->name);
}

void cli_help(FILE *out)
{
	fputs("Usage: dvmsim COMMAND [OPTION]... [ARGUMENT]...\n"
	      "Simulate and compare arm64 TLB maintenance strategies.\n", out);
	print_commands(out, "Commands", NULL);
	for (const struct cli_family *f = cli_families; f->name; f++)
		print_commands(out, f->summary, f->name);
	fputs("\n'dvmsim COMMAND --help' says what one command takes, 'dvmsim --version' prints\n"
	      "the version. Exit status: 0 done, 1 done and a check failed, 2 bad input or\n"
	      "usage, 3 not finished.\n", out);
}
