/* SPDX-License-Identifier: MIT */
/* gendocs MANDIR COMPLETION PAGE.5.in MODELS: man pages and bash completion from the tables. */
#include "cli.h"

#include <dvmsim/model.h>

#include <inttypes.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char exit_status[] =
	".SH EXIT STATUS\n"
	".TP\n.B 0\nDone, and every condition holds.\n"
	".TP\n.B 1\nDone, and a check failed.\n"
	".TP\n.B 2\nBad input or usage. Nothing was written.\n"
	".TP\n.B 3\nNot finished: interrupted, or a budget was spent.\n";

static FILE *create(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		fprintf(stderr, "gendocs: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return f;
}

static void finish(FILE *f, const char *path)
{
	if (ferror(f) | fclose(f)) {
		fprintf(stderr, "gendocs: %s: write error\n", path);
		exit(2);
	}
}

/* Text as roff: '-' is a minus sign, '\' stands for itself, no line begins a request. */
static void roff(FILE *out, const char *text)
{
	bool begin = true;

	for (; *text; text++) {
		if (begin && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
		begin = *text == '\n';
	}
}

static void roff_verbatim(FILE *out, const char *text)
{
	fputs(".nf\n", out);
	roff(out, text);
	fputs("\n.fi\n", out);
}

/* Paragraphs end at a blank line; one that begins with white space is kept as it is. */
static void roff_paragraphs(FILE *out, const char *text)
{
	for (bool first = true; *text; first = false) {
		const char *end = strstr(text, "\n\n");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		char paragraph[4096];

		snprintf(paragraph, sizeof(paragraph), "%.*s", (int)len, text);
		if (!first)
			fputs(".PP\n", out);
		if (*text == ' ' || *text == '\t') {
			roff_verbatim(out, paragraph);
		} else {
			roff(out, paragraph);
			fputc('\n', out);
		}
		text += len;
		text += strspn(text, "\n");
	}
}

/* "model show" is the page dvmsim-model-show. */
static void page_name(char *name, size_t size, const struct cli_command *cmd)
{
	snprintf(name, size, "dvmsim-%s", cmd->name);
	for (char *c = name; *c; c++) {
		if (*c == ' ')
			*c = '-';
	}
}

static void title(FILE *out, const char *name)
{
	fputs(".\\\" Made by gendocs from the command tables; not to be edited.\n.TH ", out);
	for (const char *c = name; *c; c++)
		fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, out);
	fprintf(out, " 1 \"\" \"dvmsim %s\" \"User Commands\"\n.SH NAME\n", dvm_version());
}

static void write_command(const char *dir, const struct cli_command *cmd)
{
	char name[64], path[4096];
	FILE *out;

	page_name(name, sizeof(name), cmd);
	snprintf(path, sizeof(path), "%s/%s.1", dir, name);
	out = create(path);
	title(out, name);
	roff(out, name);
	fputs(" \\- ", out);
	roff(out, cmd->summary);
	fprintf(out, "\n.SH SYNOPSIS\n.B dvmsim %s\n[\\fIOPTION\\fR]... ", cmd->name);
	roff(out, cmd->operands);
	fputs("\n.SH DESCRIPTION\n", out);
	if (cmd->details) {
		roff_paragraphs(out, cmd->details);
	} else {
		roff(out, cmd->summary);
		fputs(".\n", out);
	}
	fputs(".SH OPTIONS\n", out);
	for (const struct cli_option *o = cmd->options; o->name; o++) {
		char form[80];

		fputs(".TP\n.B ", out);
		roff(out, cli_option_form(o, form, sizeof(form)));
		fputc('\n', out);
		roff(out, o->help);
		fprintf(out, "%s\n", o->many ? " May be given more than once." : "");
	}
	fputs(".TP\n.B \\-\\-help\nPrint a short help.\n", out);
	fputs(exit_status, out);
	if (cmd->examples) {
		fputs(".SH EXAMPLES\n", out);
		roff_verbatim(out, cmd->examples);
	}
	fputs(".SH SEE ALSO\n.BR dvmsim (1)\n", out);
	finish(out, path);
}

/* The commands of one family, or with NULL those without verbs. */
static void list_commands(FILE *out, const char *section, const char *family)
{
	size_t listed = 0;

	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];
		char name[64];

		if (family ? !cli_in_family(cmd, family, strlen(family)) :
			     strchr(cmd->name, ' ') != NULL)
			continue;
		if (!listed++)
			fprintf(out, ".SS %s\n", section);
		page_name(name, sizeof(name), cmd);
		fputs(".TP\n.BR ", out);
		roff(out, name);
		fputs(" (1)\n", out);
		roff(out, cmd->summary);
		fputs(".\n", out);
	}
}

static void write_main(const char *dir)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/dvmsim.1", dir);
	out = create(path);
	title(out, "dvmsim");
	fputs("dvmsim \\- simulate and check arm64 TLB maintenance\n.SH SYNOPSIS\n"
	      ".B dvmsim\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
	      ".SH DESCRIPTION\n"
	      "A strategy is a short text that says what a kernel does to flush a translation.\n"
	      "dvmsim runs strategies on recorded workloads and on models of arm64 parts, and\n"
	      "compares what they cost. Every number of a model names its source.\n"
	      ".SH COMMANDS\n", out);
	list_commands(out, "Simulation", NULL);
	for (const struct cli_family *f = cli_families; f->name; f++)
		list_commands(out, f->summary, f->name);
	fputs(".SH OPTIONS\n.TP\n.B \\-\\-help\nPrint a short help.\n"
	      ".TP\n.B \\-\\-version\nPrint the version.\n", out);
	fputs(exit_status, out);
	fputs(".SH ENVIRONMENT\n.TP\n.B DVMSIM_DATA\n"
	      "The directory that holds models/ and traces/. Without it, dvmsim looks beside where\n"
	      "it is installed, then in the tree it was built from.\n"
	      ".SH SEE ALSO\n"
	      ".BR dvmsim\\-model (5),\n.BR dvmsim\\-strategy (5),\n.BR dvmsim\\-trace (5)\n",
	      out);
	finish(out, path);
}

/* What `names` is given to offer the values of an argument, or NULL: file names. */
static const char *names_of(const char *arg, const char *command)
{
	static const struct {
		const char *arg, *names;
	} known[] = {
		{ "MODEL", "model '\"kind\": *\"hw\"'" },
		{ "KERNEL", "model '\"kind\": *\"kernel\"'" },
		{ "STRATEGY", "strategy" },
		{ "SPEC", "workload" }, /* its list is plain: name, blanks, summary */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(arg, known[i].arg))
			return known[i].names;
	}
	return strstr(arg, "NAME") && !strncmp(command, "model ", 6) ? "model" : NULL;
}

/* Words for the shell: option names and command words have no characters it treats specially. */
static void complete_options(FILE *out, const struct cli_command *cmd)
{
	const char *names = names_of(cmd->operands, cmd->name);

	fprintf(out, "\t\"%s\")\n\t\toptions='", cmd->name);
	for (const struct cli_option *o = cmd->options; o->name; o++) {
		if (o->letter)
			fprintf(out, "-%c ", o->letter);
		fprintf(out, "--%s%s ", o->name, o->arg ? "=" : "");
	}
	fputs("--help'\n\t\tcase \"$option\" in\n", out);
	for (const struct cli_option *o = cmd->options; o->name; o++) {
		const char *values = o->arg ? names_of(o->arg, cmd->name) : NULL;

		if (o->arg && o->letter)
			fprintf(out, "\t\t-%c | --%s) ", o->letter, o->name);
		else if (o->arg)
			fprintf(out, "\t\t--%s) ", o->name);
		if (o->arg)
			fprintf(out, "%s%s ;;\n", values ? "_dvmsim_names " : "words=",
				values ? values : "");
	}
	if (names)
		fprintf(out, "\t\t*) _dvmsim_names %s ;;\n", names);
	fputs("\t\tesac ;;\n", out);
}

static void complete_words(FILE *out)
{
	fputs("\t\"\")\n\t\twords='", out);
	for (size_t i = 0; cli_commands[i]; i++) {
		if (!strchr(cli_commands[i]->name, ' '))
			fprintf(out, "%s ", cli_commands[i]->name);
	}
	for (const struct cli_family *f = cli_families; f->name; f++)
		fprintf(out, "%s ", f->name);
	fputs("help'\n\t\toptions='--help --version' ;;\n", out);
	for (const struct cli_family *f = cli_families; f->name; f++) {
		fprintf(out, "\t\"%s\")\n\t\twords='", f->name);
		for (size_t i = 0; cli_commands[i]; i++) {
			if (cli_in_family(cli_commands[i], f->name, strlen(f->name)))
				fprintf(out, "%s ", strchr(cli_commands[i]->name, ' ') + 1);
		}
		fputs("'\n\t\toptions='--help' ;;\n", out);
	}
}

static void write_completion(const char *path)
{
	FILE *out = create(path);

	fputs("# bash completion of dvmsim; made by gendocs from the command tables.\n"
	      "# _dvmsim_names FAMILY [PATTERN]: names that ship, of lines that match.\n"
	      "_dvmsim_names()\n{\n"
	      "\twords=$(dvmsim \"$1\" list -j 2>/dev/null | grep \"${2:-.}\" |\n"
	      "\t\tgrep -o '\"name\": *\"[^\"]*\"' | cut -d'\"' -f4)\n"
	      "\t[[ $words ]] || words=$(dvmsim \"$1\" list 2>/dev/null | cut -d' ' -f1)\n"
	      "}\n\n"
	      "_dvmsim()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal command='' words='' options='' i\n"
	      "\n"
	      "\tCOMPREPLY=()\n"
	      "\t# --name=value arrives as three words.\n"
	      "\tif [[ $cur == = ]]; then\n"
	      "\t\tcur=\n"
	      "\telif [[ $option == = ]]; then\n"
	      "\t\toption=${COMP_WORDS[COMP_CWORD - 2]}\n"
	      "\tfi\n"
	      "\t# The command is the first words before the cursor; a family has a verb as well.\n"
	      "\tfor ((i = 1; i < COMP_CWORD && i < 3; i++)); do\n"
	      "\t\tcase \"$command ${COMP_WORDS[i]}\" in\n"
	      "\t\t*\" -\"*) break ;;\n\t\t\" \"*) command=${COMP_WORDS[i]} ;;\n", out);
	for (const struct cli_family *f = cli_families; f->name; f++)
		fprintf(out, "\t\t\"%s \"*) command=\"$command ${COMP_WORDS[i]}\" ;;\n", f->name);
	fputs("\t\tesac\n\tdone\n"
	      "\tcase \"$command\" in\n", out);
	complete_words(out);
	for (size_t i = 0; cli_commands[i]; i++)
		complete_options(out, cli_commands[i]);
	fputs("\tesac\n"
	      "\tcase \"$cur\" in\n"
	      "\t-*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\") ;;\n"
	      "\t*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
	      "\tesac\n"
	      "\t# No blank after --name=, the value follows.\n"
	      "\tif [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then\n"
	      "\t\tcompopt -o nospace 2>/dev/null\n"
	      "\tfi\n"
	      "}\n"
	      "# Nothing to offer: file names.\n"
	      "complete -o default -F _dvmsim dvmsim\n", out);
	finish(out, path);
}

static void write_parameter(FILE *out, const struct dvm_param *p)
{
	fputs(".TP\n.B ", out);
	roff(out, p->path);
	fputs("\n", out);
	roff(out, p->doc);
	fputs(".\n", out);
	if (p->type == DVM_PARAM_BOOL) {
		fputs("True or false.\n", out);
	} else if (p->type == DVM_PARAM_ENUM) {
		fputs("One of:", out);
		for (const char *word = p->words; *word; word += strcspn(word, "|"), word += *word == '|')
			fprintf(out, " %.*s", (int)strcspn(word, "|"), word);
		fputs(".\n", out);
	} else {
		fprintf(out, "In %s, from %" PRIu64 " to %" PRIu64 ".\n", p->unit, p->min, p->max);
	}
}

/* The parameters are the same for every model of a kind; take those of one that ships. */
static void write_parameters(FILE *out, enum dvm_model_kind kind, const char *name,
			     const char *models)
{
	struct dvm_param p = { .size = sizeof(p) };
	struct dvm_model *model;
	struct dvm_error err;

	if (dvm_model_find(kind, name, models, &model, &err))
		exit(cli_fail(&err));
	for (size_t i = 0; i < dvm_model_param_count(model); i++) {
		if (!dvm_model_param(model, i, &p))
			write_parameter(out, &p);
	}
	dvm_model_free(model);
}

/* Copy the page; a line @HW@ or @KERNEL@ becomes the parameters of that kind. */
static void write_model_page(const char *dir, const char *page, const char *models)
{
	FILE *in = fopen(page, "r"), *out;
	char path[4096], line[1024];

	if (!in) {
		fprintf(stderr, "gendocs: %s: %s\n", page, strerror(errno));
		exit(2);
	}
	snprintf(path, sizeof(path), "%s/dvmsim-model.5", dir);
	out = create(path);
	while (fgets(line, sizeof(line), in)) {
		if (!strcmp(line, "@HW@\n"))
			write_parameters(out, DVM_MODEL_HW, "teaching-4", models);
		else if (!strcmp(line, "@KERNEL@\n"))
			write_parameters(out, DVM_MODEL_KERNEL, "linux-6.12", models);
		else
			fputs(line, out);
	}
	fclose(in);
	finish(out, path);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fputs("usage: gendocs MANDIR COMPLETION PAGE.5.in MODELS\n", stderr);
		return 2;
	}
	for (size_t i = 0; cli_commands[i]; i++)
		write_command(argv[1], cli_commands[i]);
	write_main(argv[1]);
	write_completion(argv[2]);
	write_model_page(argv[1], argv[3], argv[4]);
	return 0;
}
