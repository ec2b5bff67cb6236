/* SPDX-License-Identifier: MIT */
#include <dvmsim/trace.h>

static const char *const kinds[DVM_TRACE_KINDS] = {
	[DVM_TRACE_TASK_NEW] = "task-new",
	[DVM_TRACE_TASK_EXIT] = "task-exit",
	[DVM_TRACE_MM_NEW] = "mm-new",
	[DVM_TRACE_MM_EXIT] = "mm-exit",
	[DVM_TRACE_EXEC] = "exec",
	[DVM_TRACE_SWITCH] = "switch",
	[DVM_TRACE_MIGRATE] = "migrate",
	[DVM_TRACE_WAKE] = "wake",
	[DVM_TRACE_RUN] = "run",
	[DVM_TRACE_SLEEP] = "sleep",
	[DVM_TRACE_OP_BEGIN] = "op-begin",
	[DVM_TRACE_OP_END] = "op-end",
	[DVM_TRACE_FLUSH] = "flush",
	[DVM_TRACE_BATCH_FLUSH] = "batch-flush",
	[DVM_TRACE_ACCESS_RUN] = "access-run",
	[DVM_TRACE_MARK] = "mark",
	[DVM_TRACE_LOST] = "lost",
	[DVM_TRACE_THINK] = "think",
	[DVM_TRACE_UNIT_BEGIN] = "unit-begin",
	[DVM_TRACE_UNIT_END] = "unit-end",
	[DVM_TRACE_PUT] = "put",
	[DVM_TRACE_GET] = "get",
	[DVM_TRACE_ARRIVE] = "arrive",
	[DVM_TRACE_LOOP] = "loop",
};

static const char *const requests[DVM_TRACE_REQUESTS] = {
	[DVM_TRACE_REQ_NONE] = "none",	 [DVM_TRACE_REQ_ASID] = "asid",
	[DVM_TRACE_REQ_RANGE] = "range", [DVM_TRACE_REQ_PAGE] = "page",
	[DVM_TRACE_REQ_KERNEL] = "kernel", [DVM_TRACE_REQ_ALL] = "all",
};

static const char *const ops[DVM_TRACE_OPS] = {
	[DVM_TRACE_OP_NONE] = "none",
	[DVM_TRACE_OP_FORK] = "fork",
	[DVM_TRACE_OP_EXEC] = "exec",
	[DVM_TRACE_OP_EXIT] = "exit",
	[DVM_TRACE_OP_MMAP] = "mmap",
	[DVM_TRACE_OP_MUNMAP] = "munmap",
	[DVM_TRACE_OP_MPROTECT] = "mprotect",
	[DVM_TRACE_OP_MADVISE] = "madvise",
	[DVM_TRACE_OP_MREMAP] = "mremap",
	[DVM_TRACE_OP_BRK] = "brk",
	[DVM_TRACE_OP_FAULT] = "fault",
	[DVM_TRACE_OP_FAULT_ANON] = "fault-anon",
	[DVM_TRACE_OP_FAULT_FILE] = "fault-file",
	[DVM_TRACE_OP_FAULT_COW] = "fault-cow",
	[DVM_TRACE_OP_FAULT_WP_REUSE] = "fault-wp-reuse",
	[DVM_TRACE_OP_FAULT_SPURIOUS] = "fault-spurious",
	[DVM_TRACE_OP_RECLAIM] = "reclaim",
	[DVM_TRACE_OP_MIGRATE_PAGE] = "migrate-page",
	[DVM_TRACE_OP_YOUNG_CLEAR] = "young-clear",
	[DVM_TRACE_OP_CONTPTE] = "contpte",
	[DVM_TRACE_OP_THP_SPLIT] = "thp-split",
	[DVM_TRACE_OP_THP_COLLAPSE] = "thp-collapse",
	[DVM_TRACE_OP_KERNEL_MAP] = "kernel-map",
	[DVM_TRACE_OP_ROLLOVER] = "rollover",
	[DVM_TRACE_OP_OTHER] = "other",
	[DVM_TRACE_OP_NUMA_HINT] = "numa-hint",
	[DVM_TRACE_OP_MKCLEAN] = "mkclean",
	[DVM_TRACE_OP_KSM] = "ksm",
	[DVM_TRACE_OP_UFFD_WP] = "uffd-wp",
	[DVM_TRACE_OP_CLEAR_REFS] = "clear-refs",
	[DVM_TRACE_OP_PTRACE] = "ptrace",
	[DVM_TRACE_OP_OOM_REAP] = "oom-reap",
	[DVM_TRACE_OP_SVA_BIND] = "sva-bind",
	[DVM_TRACE_OP_SVA_UNBIND] = "sva-unbind",
};

static const char *const flags[] = {
	"initial", "inferred", "thread", "kthread", "time", "leaf", "nosync", "nobroadcast",
	"nonotify", "freed-tables", "foreign", "fullmm", "modelled",
	"simulated", "sme",
};

const char *dvm_trace_kind_name(unsigned kind)
{
	return kind < DVM_TRACE_KINDS ? kinds[kind] : NULL;
}

const char *dvm_trace_request_name(unsigned request)
{
	return request < DVM_TRACE_REQUESTS ? requests[request] : NULL;
}

const char *dvm_trace_op_name(unsigned op)
{
	return op < DVM_TRACE_OPS ? ops[op] : NULL;
}

const char *dvm_trace_flag_name(unsigned bit)
{
	return bit < sizeof(flags) / sizeof(flags[0]) ? flags[bit] : NULL;
}
