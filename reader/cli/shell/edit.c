/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While a line is edited the terminal sends no signals (its ISIG is off): Ctrl-C and Ctrl-Z are
 * keys like others then. A command runs with the terminal as it was before.
 */
#include "cli/shell/edit.h"

#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define HISTORY_LINES 1000

struct editor {
	EditLine *el;
	History *history;
	const struct edit_host *host;
	bool dropped; /* Ctrl-C ended the line */
};

static char *prompt(EditLine *el)
{
	static char text[] = "memtool> ";

	(void)el;
	return text;
}

static unsigned char drop_line(EditLine *el, int key)
{
	struct editor *editor;

	(void)key;
	el_get(el, EL_CLIENTDATA, &editor);
	editor->dropped = true;
	return CC_NEWLINE;
}

static unsigned char suspend(EditLine *el, int key)
{
	struct editor *editor;

	(void)key;
	el_get(el, EL_CLIENTDATA, &editor);
	/* The target would stand still with us for as long as we do. */
	if (editor->host->shell->stop)
		return CC_ERROR;
	/* libedit gives the terminal back before it lets this through, and takes it again after. */
	raise(SIGTSTP);
	/* What others wrote to the terminal meanwhile, libedit knows nothing of. */
	return CC_REDISPLAY;
}

/* Shows what the word at the cursor may become, and the line once more. */
static void list_candidates(const struct completion *completion)
{
	putchar('\n');
	for (size_t i = 0; i < completion->candidates.count && i < COMPLETION_SHOWN; i++)
		printf("%s%s", i ? "  " : "", completion->candidates.data[i]);
	if (completion->candidates.count > COMPLETION_SHOWN)
		printf("  and %zu more", completion->candidates.count - COMPLETION_SHOWN);
	putchar('\n');
	fflush(stdout);
}

static unsigned char take_completion(EditLine *el, const struct completion *completion)
{
	if (completion->candidates.count == 0)
		return CC_REFRESH_BEEP;
	if (*completion->tail && el_insertstr(el, completion->tail) < 0)
		return CC_ERROR;
	if (completion->candidates.count == 1 || *completion->tail)
		return CC_REFRESH;
	list_candidates(completion);
	return CC_REDISPLAY;
}

static unsigned char complete_word(EditLine *el, int key)
{
	struct completion completion = { 0 };
	_cleanup_free_ char *text = NULL;
	const LineInfo *line = el_line(el);
	struct editor *editor;

	(void)key;
	el_get(el, EL_CLIENTDATA, &editor);
	const struct edit_host *host = editor->host;
	text = strndup(line->buffer, (size_t)(line->cursor - line->buffer));
	if (!text || !host->complete(host->completer, host->shell, text, &completion))
		return CC_REFRESH_BEEP;
	unsigned char result = take_completion(el, &completion);
	host->completion_deinit(&completion);
	return result;
}

static void set_up(struct editor *editor)
{
	HistEvent event;

	history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
	history(editor->history, &event, H_SETUNIQUE, 1);
	el_set(editor->el, EL_CLIENTDATA, editor);
	el_set(editor->el, EL_PROMPT, prompt);
	el_set(editor->el, EL_EDITOR, "emacs");
	el_set(editor->el, EL_HIST, history, editor->history);
	/* A resize of the window is libedit's to see. */
	el_set(editor->el, EL_SIGNAL, 1);
	el_set(editor->el, EL_ADDFN, "memtool-complete", "Complete the word", complete_word);
	el_set(editor->el, EL_BIND, "^I", "memtool-complete", NULL);
	el_set(editor->el, EL_ADDFN, "memtool-drop", "Drop the line", drop_line);
	el_set(editor->el, EL_ADDFN, "memtool-suspend", "Stop the shell", suspend);
	el_set(editor->el, EL_SETTY, "-d", "-isig", NULL);
	el_set(editor->el, EL_BIND, "^C", "memtool-drop", NULL);
	el_set(editor->el, EL_BIND, "^Z", "memtool-suspend", NULL);
	el_set(editor->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	el_source(editor->el, NULL);
}

static void take_line(struct editor *editor, const char *line)
{
	HistEvent event;

	if (editor->dropped) {
		editor->dropped = false;
		puts("^C");
		return;
	}
	if (line[strspn(line, " \t\n")])
		history(editor->history, &event, H_ENTER, line);
	editor->host->execute(editor->host->shell, line);
}

static bool edit(const struct edit_host *host)
{
	struct editor editor = { .host = host };
	const char *line;
	int count;

	editor.history = history_init();
	editor.el = el_init("memtool", stdin, stdout, stderr);
	if (editor.history && editor.el) {
		set_up(&editor);
		while (!host->shell->done && (line = el_gets(editor.el, &count)) && count > 0)
			take_line(&editor, line);
		/* Ctrl-D leaves the cursor behind the prompt. */
		if (!host->shell->done)
			putchar('\n');
	}
	bool enough = editor.history && editor.el;
	if (editor.el)
		el_end(editor.el);
	if (editor.history)
		history_end(editor.history);
	return enough;
}

__attribute__((__visibility__("default"))) const struct line_editor memtool_line_editor = {
	.edit = edit,
};
