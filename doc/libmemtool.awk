# SPDX-License-Identifier: Apache-2.0
#
# Writes libmemtool(3) from reader/memtool.h: the comment at the head of the file is the description,
# each section there a section here, each declaration stands above its comment. Awk, since every
# system that builds memtool has one.

function escape(text)
{
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	if (text ~ /^[.']/)
		text = "\\&" text
	return text
}

# The text of a comment's line, without the stars around it.
function content(line)
{
	sub(/^[ \t]*\/\*\*?[ \t]?/, "", line)
	sub(/[ \t]*\*\/[ \t]*$/, "", line)
	sub(/^[ \t]*\*[ \t]?/, "", line)
	return line
}

function print_text(line, indent)
{
	if (line == "") {
		paragraph = 1
		return
	}
	if (line ~ /^- /) {
		print ".IP \\(bu 2"
		line = substr(line, 3)
	} else if (paragraph && line !~ /^ /) {
		print ".PP"
	}
	paragraph = 0
	if (line ~ /^[a-z_]+: /) # a parameter
		print ".br"
	sub(/^ +/, "", line)
	print escape(line)
}

# One function or type of function, in lines of at most 76 characters.
function print_prototype(text, words, count, i, line)
{
	gsub(/[ \t\n]+/, " ", text)
	count = split(text, words, " ")
	line = words[1]
	for (i = 2; i <= count; i++) {
		if (length(line) + 1 + length(words[i]) > 76) {
			print escape(line)
			line = "        " words[i]
		} else {
			line = line " " words[i]
		}
	}
	print escape(line)
}

function print_declaration(text, lines, count, i)
{
	gsub(/MEMTOOL_PUBLIC[ \t\n]/, "", text)
	gsub(/ MEMTOOL_OPEN_ENUM/, "", text)
	gsub(/\*MEMTOOL_(NONNULL|NULLABLE)[ \n]*/, "*", text)
	gsub(/ MEMTOOL_(NONNULL|NULLABLE)/, "", text)
	print ".PP"
	print ".nf"
	print ".ft B"
	if (text ~ /\{/ || text ~ /^#/) {
		gsub(/\t/, "    ", text)
		count = split(text, lines, "\n")
		for (i = 1; i <= count; i++)
			print escape(lines[i])
	} else {
		print_prototype(text)
	}
	print ".ft"
	print ".fi"
}

function print_comment(i)
{
	if (!comment_lines)
		return
	print ".RS 4"
	print ".PP"
	paragraph = 0
	for (i = 1; i <= comment_lines; i++)
		print_text(comment[i])
	print ".RE"
	comment_lines = 0
}

function begin_page()
{
	print ".\\\" Made from memtool.h."
	print ".TH LIBMEMTOOL 3 \"\" \"memtool\" \"Library Functions\""
	print ".SH NAME"
}

function end_description()
{
	print ".PP"
	print "Which pointers may be NULL is annotated in"
	print ".IR memtool.h ,"
	print "for the compilers that know of it."
}

function begin_description(line)
{
	sub(/^memtool\.h: /, "", line)
	sub(/\.$/, "", line)
	print "libmemtool \\- " escape(line)
	print ".SH LIBRARY"
	print ".nf"
	print ".B cc \\fIFILE\\fP.c $(pkg\\-config \\-\\-cflags \\-\\-libs memtool)"
	print ".fi"
	print ".SH SYNOPSIS"
	print ".B #include <memtool.h>"
	print ".SH DESCRIPTION"
	paragraph = 0
}

BEGIN { state = "head"; begin_page() }

# The comment that the file begins with.
state == "head" && /^\/\*\*/ { state = "description"; next }
state == "description" && / \*\/$/ { end_description(); state = "macros"; next }
state == "description" && /memtool\.h: / { begin_description(content($0)); next }
state == "description" { print_text(content($0)); next }

# Nothing before the first section is for the reader of this page.
/^\/\* -----/ { state = "title"; next }
state == "head" || state == "macros" { next }

state == "title" {
	print ".SH " toupper(content($0))
	state = "section"
	paragraph = 0
	next
}
state == "section" {
	if (/\*\/$/)
		state = "top"
	else
		print_text(content($0))
	next
}

state == "top" && /^#ifdef __cplusplus/ { exit }
state == "top" && /^\/\*\*/ {
	comment_lines = 0
	state = "comment"
}
state == "comment" {
	last = /\*\/$/
	line = content($0)
	if (line != "" || comment_lines)
		comment[++comment_lines] = line
	if (last)
		state = "top"
	next
}
state == "top" && /^$/ { next }
state == "top" {
	declaration = ""
	state = "declaration"
}
state == "declaration" {
	declaration = declaration (declaration == "" ? "" : "\n") $0
	macro = declaration ~ /^#/
	if (macro ? /\\$/ : !/;$/ || (declaration ~ /\{/ && !/^\}/))
		next
	print_declaration(declaration)
	print_comment()
	state = "top"
}

END {
	print ".SH EXAMPLES"
	print "Whole programs are installed with the documentation:"
	print ".I largest\\-chunks.c"
	print "and"
	print ".IR swift\\-inspect\\-heap.c ."
	print ".SH SEE ALSO"
	print ".BR memtool (1),"
	print ".BR malloc (3),"
	print ".BR ptrace (2)"
}
