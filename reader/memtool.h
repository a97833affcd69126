/* SPDX-License-Identifier: Apache-2.0 */
/**
 * memtool.h: the glibc malloc heap of another process, read from outside.
 *
 * The one public header of libmemtool. It compiles alone as C11, as C++11, and as a Clang module
 * for Swift, and includes nothing but the C library's integer types.
 *
 * A target is a live x86-64 Linux process that uses glibc's malloc. memtool_open() finds out where
 * its malloc keeps its books; memtool_read_heap() stops its threads for some milliseconds, copies,
 * lets them go on, and returns a heap: an immutable list of every chunk with its state. A heap
 * knows nothing of the target any more, which may have ended since.
 *
 * What holds everywhere:
 *
 * - Addresses are the target's, as uint64_t, never pointers. Sizes are bytes. A range is half-open:
 *   [start, end).
 * - A function that can fail returns an error object, or NULL for success. The caller ends it with
 *   memtool_error_destroy(). What such a function would have returned comes by its last parameters,
 *   named ret or ret_x, which are left alone on failure.
 * - An object that a function creates is ended by the function of that name with _close or
 *   _destroy, which takes NULL as well. Strings and structs that a function hands out belong to the
 *   object they are of, and last as long as that, unless said otherwise.
 * - Callbacks return true to go on, and false to end the iteration, which is no failure. They must
 *   return (no longjmp, no exception), and must not call a function on the object that calls them,
 *   except the reading ones of a heap.
 * - Threads: one target is for one thread at a time, any thread; different targets are independent.
 *   A heap and an error may be read by any number of threads at once. No function touches the
 *   process's working directory, locale, environment or signal dispositions, prints, or exits.
 *   While a target is stopped, wait calls for any child in other threads may see its threads
 *   (ptrace(2)): see memtool_stop().
 * - The target is taken for hostile: no content of its memory or files makes these functions crash,
 *   hang, or take memory without bound.
 */
#ifndef MEMTOOL_H
#define MEMTOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define MEMTOOL_NONNULL  _Nonnull
#define MEMTOOL_NULLABLE _Nullable
#else
#define MEMTOOL_NONNULL
#define MEMTOOL_NULLABLE
#endif

/* Enumerations of which a later release may have more values. */
#if defined(__clang__)
#define MEMTOOL_OPEN_ENUM __attribute__((__enum_extensibility__(open)))
#else
#define MEMTOOL_OPEN_ENUM
#endif

#define MEMTOOL_PUBLIC __attribute__((__visibility__("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------------------------------------
 * Errors
 */

struct memtool_error;

enum MEMTOOL_OPEN_ENUM memtool_error_code {
	MEMTOOL_ERROR_NO_MEMORY, /* this process, not the target, ran out of memory */
	MEMTOOL_ERROR_OS, /* a system call failed: see memtool_error_errno() */
	MEMTOOL_ERROR_FAULT, /* memory of the target is not readable: see memtool_error_address() */
	MEMTOOL_ERROR_NO_PROCESS, /* there is no such process, or it ended meanwhile */
	MEMTOOL_ERROR_NOT_PERMITTED, /* the kernel does not let us look at it */
	MEMTOOL_ERROR_UNSUPPORTED, /* a process or file of a kind that memtool does not read */
	MEMTOOL_ERROR_NOT_GLIBC, /* the target does not use glibc's malloc */
	MEMTOOL_ERROR_NO_SYMBOLS, /* what was asked for needs symbols that are not there */
	MEMTOOL_ERROR_CORRUPT, /* what was read contradicts itself */
	MEMTOOL_ERROR_INTERRUPTED, /* a progress callback asked to end */
	MEMTOOL_ERROR_INVALID, /* an argument makes no sense */
	/*
	 * The target would stand still for longer than max_pause_ns; or it was let go, as memory of
	 * it did not come while it stood still (userfaultfd(2), a file server).
	 */
	MEMTOOL_ERROR_TOO_LONG,
};

MEMTOOL_PUBLIC enum memtool_error_code
memtool_error_code(const struct memtool_error *MEMTOOL_NONNULL error);

/**
 * One line for a person, without a period at its end: what failed, why, and, where there is one,
 * the remedy. Lasts until the error is destroyed.
 */
MEMTOOL_PUBLIC const char *MEMTOOL_NONNULL
memtool_error_message(const struct memtool_error *MEMTOOL_NONNULL error);

/** The errno of a system call that failed; 0 if none did. */
MEMTOOL_PUBLIC int memtool_error_errno(const struct memtool_error *MEMTOOL_NONNULL error);

/** The address that could not be read, of MEMTOOL_ERROR_FAULT; else 0. */
MEMTOOL_PUBLIC uint64_t memtool_error_address(const struct memtool_error *MEMTOOL_NONNULL error);

/** Ends an error. NULL is fine. */
MEMTOOL_PUBLIC void memtool_error_destroy(struct memtool_error *MEMTOOL_NULLABLE error);

/* ----------------------------------------------------------------------------------------------
 * Targets
 */

struct memtool_target;

/** Where the addresses of glibc's malloc are taken from. */
enum MEMTOOL_OPEN_ENUM memtool_source {
	MEMTOOL_SOURCE_AUTO, /* the first of these that has an address, address by address */
	MEMTOOL_SOURCE_INVENTORY, /* the page that the preloaded agent publishes */
	MEMTOOL_SOURCE_SYMBOLS, /* the symbols of libc or of its debug file */
	MEMTOOL_SOURCE_STRUCTURE, /* what malloc's data looks like, in a libc without symbols */
};

/** How the layout of glibc's structs is known. */
enum MEMTOOL_OPEN_ENUM memtool_layout {
	MEMTOOL_LAYOUT_AUTO, /* the table, or DWARF if it has none that fits */
	MEMTOOL_LAYOUT_TABLE,
	MEMTOOL_LAYOUT_DWARF,
};

/** How far memtool_read_heap() has come. */
struct memtool_progress {
	uint64_t bytes_read; /* of the target's memory */
	uint64_t bytes_total; /* an estimate; 0 as long as there is none */
	uint64_t chunks; /* met so far */
};

/** Returns false to have the call fail with MEMTOOL_ERROR_INTERRUPTED. */
typedef bool (*memtool_progress_fn)(void *MEMTOOL_NULLABLE context,
				    const struct memtool_progress *MEMTOOL_NONNULL progress);

struct memtool_options {
	size_t size; /* sizeof(struct memtool_options), as memtool_options_init() sets it */
	enum memtool_source source;
	enum memtool_layout layout;
	/* Reads while the target runs, without ptrace. What changes meanwhile may come out torn. */
	bool no_stop;
	/*
	 * Has memtool_read_heap() read a copy that the kernel makes of the target as for fork(2):
	 * the target stands still for no longer than that takes. Its main thread is made to make
	 * the copy, and at the end to collect it. Where that cannot be done safely (seccomp ...),
	 * the target is stopped and read. SIGINT, SIGTERM, SIGHUP and SIGQUIT wait meanwhile, in
	 * the thread that calls, and one that waits ends the reading. Not with no_stop.
	 */
	bool snapshot;
	/*
	 * For how long memtool_read_heap() may have the target stand still in all, in nanoseconds;
	 * 0 for no limit. By what the kernel tells of the target it is estimated, high rather than
	 * low, what it takes to stop and read it, and what a snapshot takes. The first of them that
	 * fits is done, with snapshot set only the second. MEMTOOL_ERROR_TOO_LONG if neither does,
	 * and nothing is stopped. The same error, after a moment, if the target has to be stopped
	 * to see that there can be no snapshot; and when the time has come and not all is read,
	 * with which the target is let go. But what the kernel does once it has begun, such as to
	 * copy a process, is waited for. Not with no_stop, and without effect after memtool_stop().
	 */
	uint64_t max_pause_ns;
	/* Called every few MiB, also while the target stands still: it should be quick. */
	memtool_progress_fn MEMTOOL_NULLABLE progress;
	void *MEMTOOL_NULLABLE progress_context;
};

/** Sets everything to its default, which is 0 but for size. */
MEMTOOL_PUBLIC void memtool_options_init(struct memtool_options *MEMTOOL_NONNULL options);

/**
 * Opens a process. Neither stops nor changes it.
 *
 * pid: of the process or of any thread of it, in the caller's pid namespace.
 * options: NULL for the defaults. A smaller size than this library's is fine: fields beyond it are
 * taken as 0.
 *
 * Fails with the cause and one remedy in the message: no such process, a zombie, a kernel thread,
 * another user's process, 32-bit code. That there is no glibc malloc in it, or no way to find its
 * books, is no failure yet: memory, mappings, modules and symbols can be read all the same, and
 * memtool_read_heap() tells.
 */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_open(int pid, const struct memtool_options *MEMTOOL_NULLABLE options,
	     struct memtool_target *MEMTOOL_NULLABLE *MEMTOOL_NONNULL ret);

/** Resumes the target if it is stopped, and forgets it. NULL is fine. */
MEMTOOL_PUBLIC void memtool_close(struct memtool_target *MEMTOOL_NULLABLE target);

/** The process's id, which need not be what memtool_open() was given. */
MEMTOOL_PUBLIC int memtool_pid(const struct memtool_target *MEMTOOL_NONNULL target);

/**
 * Stops every thread of the target until memtool_resume(), so that several calls see one moment.
 * Not needed for any of them: memtool_read_heap() stops by itself.
 *
 * No signal is sent to the target and none is lost; if this process dies, the target runs on. Until
 * the resume this process has one thread more, gets SIGCHLD as the target's threads stop, and wait
 * calls for any child in its other threads may see them: none should run meanwhile. SIGTSTP, by
 * which Ctrl-Z would stop both, waits in the thread that calls, which should also be the one that
 * resumes. Stopping a target that is stopped does nothing.
 */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_stop(struct memtool_target *MEMTOOL_NONNULL target);

/** Returns for how long it stood still, in nanoseconds; 0 if it was not stopped by this library. */
MEMTOOL_PUBLIC uint64_t memtool_resume(struct memtool_target *MEMTOOL_NONNULL target);

MEMTOOL_PUBLIC bool memtool_is_stopped(const struct memtool_target *MEMTOOL_NONNULL target);

/** A thread of the target. */
struct memtool_thread {
	int tid;
	bool stopped; /* by memtool_stop(); the three registers are 0 otherwise */
	uint64_t fs_base; /* thread pointer; 0 if the thread has none */
	uint64_t sp;
	uint64_t pc;
	const char *MEMTOOL_NONNULL name; /* for the callback only; control characters as '?' */
};

typedef bool (*memtool_thread_fn)(void *MEMTOOL_NULLABLE context,
				  const struct memtool_thread *MEMTOOL_NONNULL thread);

/** The threads there are just now, by ascending tid. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_threads(struct memtool_target *MEMTOOL_NONNULL target,
		memtool_thread_fn MEMTOOL_NONNULL callback, void *MEMTOOL_NULLABLE context);

/** A line of /proc/PID/maps. */
struct memtool_mapping {
	uint64_t start, end;
	uint64_t offset; /* into the file */
	uint64_t inode; /* 0: not of a file */
	bool readable, writable, executable, shared;
	bool deleted; /* the file has been unlinked, or replaced */
	const char *MEMTOOL_NONNULL name; /* a path as the target sees it, "[heap]", or "" */
};

typedef bool (*memtool_mapping_fn)(void *MEMTOOL_NULLABLE context,
				   const struct memtool_mapping *MEMTOOL_NONNULL mapping);

/** The mappings there are just now, by address. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_mappings(struct memtool_target *MEMTOOL_NONNULL target,
		 memtool_mapping_fn MEMTOOL_NONNULL callback, void *MEMTOOL_NULLABLE context);

/** An ELF file that is mapped in the target. */
struct memtool_module {
	uint64_t start, end; /* from its first mapping to its last */
	uint64_t bias; /* address in the target = bias + the file's virtual address */
	bool executable; /* it is the program itself */
	bool deleted;
	size_t build_id_size; /* 0: it has none */
	const uint8_t *MEMTOOL_NONNULL build_id;
	const char *MEMTOOL_NONNULL name; /* path as the target sees it */
};

typedef bool (*memtool_module_fn)(void *MEMTOOL_NULLABLE context,
				  const struct memtool_module *MEMTOOL_NONNULL module);

/** The modules there were when the target was opened, or last refreshed, by address. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_modules(struct memtool_target *MEMTOOL_NONNULL target,
		memtool_module_fn MEMTOOL_NONNULL callback, void *MEMTOOL_NULLABLE context);

/** Looks anew which modules there are. What was handed out of the old ones is gone. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_refresh(struct memtool_target *MEMTOOL_NONNULL target);

/* ----------------------------------------------------------------------------------------------
 * Memory
 */

/**
 * Copies [address, address + length) into buffer: all of it, or MEMTOOL_ERROR_FAULT with the first
 * address that cannot be read. The target need not be stopped.
 */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_read(struct memtool_target *MEMTOOL_NONNULL target, uint64_t address,
	     void *MEMTOOL_NONNULL buffer, size_t length);

/** The same up to the first byte that cannot be read: *ret is how many there are, perhaps 0. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_read_some(struct memtool_target *MEMTOOL_NONNULL target, uint64_t address,
		  void *MEMTOOL_NONNULL buffer, size_t length, size_t *MEMTOOL_NONNULL ret);

/**
 * Bytes of the C string at address, without its NUL, of which at most max are looked at. *ret_ended
 * says whether there is a NUL; if not, memory ends there, or max was reached. ret_ended may be
 * NULL.
 */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_string_length(struct memtool_target *MEMTOOL_NONNULL target, uint64_t address, uint64_t max,
		      uint64_t *MEMTOOL_NONNULL ret, bool *MEMTOOL_NULLABLE ret_ended);

/* ----------------------------------------------------------------------------------------------
 * Symbols
 */

/**
 * A symbol that a module defines, in its .symtab, its .dynsym (that in memory, where its file
 * cannot be had), or its debug file's .symtab.
 */
struct memtool_symbol {
	/* In the target; of a thread-local symbol, its offset in the module's TLS block. */
	uint64_t address;
	uint64_t size; /* 0 if the table does not say */
	bool tls;
	const char *MEMTOOL_NONNULL name; /* without a version */
	const char *MEMTOOL_NONNULL module;
};

typedef bool (*memtool_symbol_fn)(void *MEMTOOL_NULLABLE context,
				  const struct memtool_symbol *MEMTOOL_NONNULL symbol);

/**
 * Every module's symbol of that name: first the program's, then in the order of addresses. name is
 * name_length bytes and needs no NUL. None is no failure.
 */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_symbols(struct memtool_target *MEMTOOL_NONNULL target, const char *MEMTOOL_NONNULL name,
		size_t name_length, memtool_symbol_fn MEMTOOL_NONNULL callback,
		void *MEMTOOL_NULLABLE context);

/** The first of them that is not thread-local; *ret is 0 if there is none. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE memtool_symbol_address(
	struct memtool_target *MEMTOOL_NONNULL target, const char *MEMTOOL_NONNULL name,
	size_t name_length, uint64_t *MEMTOOL_NONNULL ret);

/** What is at an address. Strings last until the next call on the target. */
struct memtool_location {
	const char *MEMTOOL_NULLABLE module; /* NULL: the address is in none */
	uint64_t module_offset; /* address - the module's bias */
	const char *MEMTOOL_NULLABLE symbol; /* NULL: none is known there */
	uint64_t symbol_offset; /* address - the symbol's */
};

/** demangle: C++, Rust and Swift names as their sources have them, where a demangler can be had. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_locate(struct memtool_target *MEMTOOL_NONNULL target, uint64_t address, bool demangle,
	       struct memtool_location *MEMTOOL_NONNULL ret);

/**
 * Where a thread-local variable of a thread is. name as above, and of the first module that defines
 * it. *ret is 0 if no module does, or if the thread has not got its block yet. The target should be
 * stopped: else the thread pointer is known only of threads that glibc or the agent lists.
 */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_tls_address(struct memtool_target *MEMTOOL_NONNULL target, const char *MEMTOOL_NONNULL name,
		    size_t name_length, int tid, uint64_t *MEMTOOL_NONNULL ret);

/* ----------------------------------------------------------------------------------------------
 * Heaps
 */

struct memtool_heap;

/**
 * Reads the heap. Unless options.no_stop was set, the target is stopped meanwhile, if it is not
 * already, and runs on when this returns; *ret_stopped_ns, if not NULL, is how long it stood still.
 *
 * What could not be read, or contradicts itself, is in the heap's audit, and the rest is given all
 * the same. Fails if there is nothing to give: MEMTOOL_ERROR_NOT_GLIBC, MEMTOOL_ERROR_NO_SYMBOLS.
 */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE memtool_read_heap(
	struct memtool_target *MEMTOOL_NONNULL target, uint64_t *MEMTOOL_NULLABLE ret_stopped_ns,
	struct memtool_heap *MEMTOOL_NULLABLE *MEMTOOL_NONNULL ret);

/** NULL is fine. */
MEMTOOL_PUBLIC void memtool_heap_destroy(struct memtool_heap *MEMTOOL_NULLABLE heap);

enum MEMTOOL_OPEN_ENUM memtool_chunk_state {
	MEMTOOL_CHUNK_IN_USE,
	MEMTOOL_CHUNK_MMAPPED, /* in use, in a mapping of its own */
	MEMTOOL_CHUNK_TCACHE, /* free; the list it is in */
	MEMTOOL_CHUNK_FASTBIN,
	MEMTOOL_CHUNK_UNSORTED,
	MEMTOOL_CHUNK_SMALLBIN,
	MEMTOOL_CHUNK_LARGEBIN,
	MEMTOOL_CHUNK_UNLISTED, /* free by the next chunk's PREV_INUSE, but in no list */
	MEMTOOL_CHUNK_TOP, /* what an arena has never handed out, at its end */
	MEMTOOL_CHUNK_FENCEPOST, /* ends a heap that is not its arena's last */
	MEMTOOL_CHUNK_MALLOC_STATE, /* glibc's own: an arena */
	MEMTOOL_CHUNK_HEAP_INFO, /* glibc's own: the start of a heap */
	MEMTOOL_CHUNK_TCACHE_STRUCT, /* glibc's own: a thread's cache */
};

/**
 * Sets of states, of 1 << state each: in-use and mmapped; all there are. As plain numbers, since
 * Swift imports no other macros.
 */
#define MEMTOOL_STATES_LIVE 3u
#define MEMTOOL_STATES_ALL  UINT32_MAX

/** "in-use", as in the output of the command; "unknown" for what is no state. */
MEMTOOL_PUBLIC const char *MEMTOOL_NONNULL memtool_chunk_state_name(enum memtool_chunk_state state);

/** No arena: an mmapped chunk. No bin, no thread: not in a list. */
#define MEMTOOL_NONE UINT32_MAX

struct memtool_chunk {
	uint64_t address; /* of its header; of MALLOC_STATE and HEAP_INFO, of the struct */
	uint64_t user; /* the pointer that malloc returned */
	uint64_t size; /* as in its header, without flags */
	/*
	 * What malloc_usable_size(3) says; but with MALLOC_CHECK_ that says the size asked for,
	 * while this is what the chunk has room for, as without.
	 */
	uint64_t usable;
	enum memtool_chunk_state state;
	uint32_t arena; /* index: memtool_heap_arena(); or MEMTOOL_NONE */
	uint32_t bin; /* index of its list, as glibc counts; or MEMTOOL_NONE */
	int tid; /* of the thread whose tcache holds or is it; 0: none, or gone with a fork */
};

/** How many chunks there are, glibc's own structs included. */
MEMTOOL_PUBLIC size_t memtool_heap_chunk_count(const struct memtool_heap *MEMTOOL_NONNULL heap);

/** The chunk at index, by address; index is below the count. */
MEMTOOL_PUBLIC struct memtool_chunk
memtool_heap_chunk(const struct memtool_heap *MEMTOOL_NONNULL heap, size_t index);

/** Index of the chunk that contains address, also in its header; SIZE_MAX if none does. */
MEMTOOL_PUBLIC size_t memtool_heap_find(const struct memtool_heap *MEMTOOL_NONNULL heap,
					uint64_t address);

typedef bool (*memtool_chunk_fn)(void *MEMTOOL_NULLABLE context,
				 const struct memtool_chunk *MEMTOOL_NONNULL chunk);

/** Each chunk in one of the states, by address. Returns false if callback ended it. */
MEMTOOL_PUBLIC bool memtool_heap_chunks(const struct memtool_heap *MEMTOOL_NONNULL heap,
					uint32_t states, memtool_chunk_fn MEMTOOL_NONNULL callback,
					void *MEMTOOL_NULLABLE context);

struct memtool_tally {
	uint64_t count;
	uint64_t bytes;
};

/** Chunks of a state, and their sizes added up; arena is an index, or MEMTOOL_NONE for all. */
MEMTOOL_PUBLIC struct memtool_tally
memtool_heap_tally(const struct memtool_heap *MEMTOOL_NONNULL heap, enum memtool_chunk_state state,
		   uint32_t arena);

struct memtool_arena {
	uint64_t address; /* of its malloc_state */
	uint64_t top; /* 0 before its first use */
	uint64_t system_mem; /* what it has from the kernel, as glibc keeps it */
	uint64_t max_system_mem;
	uint64_t attached_threads;
	uint64_t gap_bytes; /* part of system_mem, but of no chunk */
	bool locked; /* its mutex was held: a thread was inside malloc */
};

/** Arenas: 0 is main_arena, the others follow in the order of glibc's ring. */
MEMTOOL_PUBLIC size_t memtool_heap_arena_count(const struct memtool_heap *MEMTOOL_NONNULL heap);
MEMTOOL_PUBLIC struct memtool_arena
memtool_heap_arena(const struct memtool_heap *MEMTOOL_NONNULL heap, size_t index);

/** A stretch of memory that the chunks of an arena fill. */
struct memtool_segment {
	uint64_t start, end;
	uint32_t arena;
};

/** By address. */
MEMTOOL_PUBLIC size_t memtool_heap_segment_count(const struct memtool_heap *MEMTOOL_NONNULL heap);
MEMTOOL_PUBLIC struct memtool_segment
memtool_heap_segment(const struct memtool_heap *MEMTOOL_NONNULL heap, size_t index);

struct memtool_heap_thread {
	int tid;
	uint64_t fs_base; /* 0: it has no TLS, or that could not be told */
	uint64_t tcache; /* address of its tcache_perthread_struct; 0: none yet */
	uint32_t
		arena; /* MEMTOOL_NONE before its first use of malloc, or if it could not be told */
};

/** By ascending tid. */
MEMTOOL_PUBLIC size_t memtool_heap_thread_count(const struct memtool_heap *MEMTOOL_NONNULL heap);
MEMTOOL_PUBLIC struct memtool_heap_thread
memtool_heap_thread(const struct memtool_heap *MEMTOOL_NONNULL heap, size_t index);

/** A free list that is not empty, or whose counter says so. */
struct memtool_list {
	enum memtool_chunk_state state; /* of its chunks */
	uint32_t bin;
	uint32_t arena; /* MEMTOOL_NONE for a tcache's */
	int tid; /* 0 for an arena's; both are none of a tcache that a fork left behind */
	size_t chunk_count;
	int64_t counter; /* how many glibc's own counter says; -1: it has none */
};

MEMTOOL_PUBLIC size_t memtool_heap_list_count(const struct memtool_heap *MEMTOOL_NONNULL heap);
MEMTOOL_PUBLIC struct memtool_list
memtool_heap_list(const struct memtool_heap *MEMTOOL_NONNULL heap, size_t index);

/** Index of a list's chunk, counted from the list's head; position is below chunk_count. */
MEMTOOL_PUBLIC size_t memtool_heap_list_chunk(const struct memtool_heap *MEMTOOL_NONNULL heap,
					      size_t index, size_t position);

/** Where the answer came from. */
struct memtool_heap_info {
	const char *MEMTOOL_NONNULL glibc; /* "2.36", or "" */
	const char *MEMTOOL_NONNULL layout; /* releases of that layout: "2.35-2.41"; or "dwarf" */
	uint64_t main_arena, mp;
	enum memtool_source main_arena_source, mp_source;
	uint64_t mmapped_count; /* as found; audited against mp_.n_mmaps */
	uint64_t mmapped_bytes; /* of their mappings */
};

MEMTOOL_PUBLIC struct memtool_heap_info
memtool_heap_info(const struct memtool_heap *MEMTOOL_NONNULL heap);

/** Something that does not add up. */
struct memtool_finding {
	const char *MEMTOOL_NONNULL kind; /* "bad-chunk", as in the command's JSON */
	bool doubt; /* whether the answer is doubtful for it */
	uint64_t address; /* where; 0 if nowhere in particular */
	uint64_t expected, found; /* where two numbers are compared, else 0 */
	const char *MEMTOOL_NONNULL message; /* all of it, in one line */
};

/**
 * Whether the numbers add up with glibc's own books: each byte of each arena accounted for, each
 * list as long as its counter says, each mmapped chunk that glibc counts found.
 */
MEMTOOL_PUBLIC bool memtool_heap_audit_ok(const struct memtool_heap *MEMTOOL_NONNULL heap);

/** Of each kind at most 64 findings are kept. */
MEMTOOL_PUBLIC size_t memtool_heap_finding_count(const struct memtool_heap *MEMTOOL_NONNULL heap);
MEMTOOL_PUBLIC struct memtool_finding
memtool_heap_finding(const struct memtool_heap *MEMTOOL_NONNULL heap, size_t index);

/* ----------------------------------------------------------------------------------------------
 * The walker alone
 *
 * For a tool that reads processes, cores or snapshots by its own means. Nothing here uses ptrace,
 * /proc, libelf or libdw; linked statically, none of it is drawn in.
 */

struct memtool_walk_thread {
	int tid;
	uint64_t fs_base;
};

struct memtool_range {
	uint64_t start, end;
};

struct memtool_walk {
	size_t size; /* sizeof(struct memtool_walk) */
	void *MEMTOOL_NULLABLE context; /* for both callbacks */

	/*
	 * Copies the readable bytes from address on, at most length, and returns how many: less
	 * only where memory ends.
	 */
	size_t (*MEMTOOL_NONNULL read)(void *MEMTOOL_NULLABLE context, uint64_t address,
				       void *MEMTOOL_NONNULL buffer, size_t length);

	/*
	 * Address and size of a symbol of libc: main_arena and mp_ are asked for, and have to be
	 * known; and, of the TLS variables tcache and thread_arena, as address the offset from the
	 * thread pointer, which is negative. Returns false for what is not known.
	 */
	bool (*MEMTOOL_NONNULL find_symbol)(void *MEMTOOL_NULLABLE context,
					    const char *MEMTOOL_NONNULL name,
					    uint64_t *MEMTOOL_NONNULL ret_address,
					    uint64_t *MEMTOOL_NONNULL ret_size);

	const char *MEMTOOL_NULLABLE glibc; /* "2.36"; NULL: by what the symbols' sizes tell */
	/* By ascending tid. Without them, what is cached by a thread looks like in use. */
	const struct memtool_walk_thread *MEMTOOL_NULLABLE threads;
	size_t thread_count;
	/*
	 * Private, anonymous, writable memory, by address: where heaps and mmapped chunks can lie.
	 */
	const struct memtool_range *MEMTOOL_NULLABLE anonymous;
	size_t anonymous_count;
};

/** The heap as memtool_read_heap() gives it. The target must not run, or what it tells is torn. */
MEMTOOL_PUBLIC struct memtool_error *MEMTOOL_NULLABLE
memtool_walk_heap(const struct memtool_walk *MEMTOOL_NONNULL walk,
		  struct memtool_heap *MEMTOOL_NULLABLE *MEMTOOL_NONNULL ret);

#ifdef __cplusplus
}
#endif

#endif
