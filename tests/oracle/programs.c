/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/oracle/programs.h"

static const char python_work[] =
	"import collections, decimal, json, random, re, sys, threading\n"
	"random.seed(7)\n"
	"table = {}\n"
	"for i in range(20000):\n"
	"    table['key %d' % i] = [random.random()] * random.randrange(1, 40)\n"
	"for i in range(0, 20000, 3):\n"
	"    del table['key %d' % i]\n"
	"text = json.dumps(table)\n"
	"again = json.loads(text)\n"
	"words = collections.Counter(re.findall(r'[0-9]{4}', text))\n"
	"sums = [decimal.Decimal(i).sqrt() for i in range(2000)]\n"
	"blobs = [bytes(random.randrange(1, 300000)) for i in range(200)]\n"
	"random.shuffle(blobs)\n"
	"del blobs[:120], text\n"
	"stop = threading.Event()\n"
	"began = threading.Barrier(5)\n"
	"def work():\n"
	"    mine = [str(i) * random.randrange(1, 50) for i in range(5000)]\n"
	"    del mine[::2]\n"
	"    began.wait()\n"
	"    stop.wait()\n"
	"for i in range(4):\n"
	"    threading.Thread(target=work, daemon=True).start()\n"
	"began.wait()\n"
	"print('ready', flush=True)\n"
	"sys.stdin.read()\n";

static const char perl_work[] =
	"my %table; srand 7;\n"
	"for my $i (1 .. 60000) { $table{\"key $i\"} = 'x' x int rand 400 }\n"
	"for my $i (1 .. 20000) { delete $table{\"key \" . $i * 3} }\n"
	"my @sorted = sort { $table{$a} cmp $table{$b} } keys %table;\n"
	"my $text = join ',', @sorted; my %seen; $seen{$1}++ while $text =~ /(\\d+)/g;\n"
	"my @nested = map { [ map { { n => $_ } } 1 .. $_ ] } 1 .. 200; splice @nested, 50, 100;\n"
	"my $big = 'y' x 3000000; undef $big; undef $text;\n"
	"$| = 1; print \"ready\\n\"; <STDIN>;\n";

static const char sqlite_work[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, data BLOB);\n"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)\n"
	"  INSERT INTO t SELECT i, 'name ' || (i * 7919 % 30011), zeroblob(i % 700) FROM n;\n"
	"CREATE INDEX by_name ON t(name);\n"
	"DELETE FROM t WHERE id % 3 = 0;\n"
	"UPDATE t SET data = zeroblob(3000) WHERE id % 100 = 1;\n"
	"CREATE TABLE u AS SELECT name, count(*) AS c FROM t GROUP BY substr(name, 1, 7);\n"
	"SELECT count(*) FROM t JOIN u ON t.name > u.name WHERE t.id < 50;\n"
	"DROP TABLE u;\n"
	".system echo ready\n";

static const char *const python[] = { "python3", "-c", python_work, NULL };
static const char *const perl[] = { "perl", "-e", perl_work, NULL };
static const char *const sqlite[] = { "sqlite3", ":memory:", NULL };

const struct oracle_program oracle_programs[] = {
	{ "python3, with malloc for all", python, "PYTHONMALLOC=malloc", NULL },
	{ "python3", python, NULL, NULL },
	{ "perl", perl, NULL, NULL },
	{ "sqlite3", sqlite, NULL, sqlite_work },
};
const size_t oracle_program_count = sizeof(oracle_programs) / sizeof(oracle_programs[0]);
