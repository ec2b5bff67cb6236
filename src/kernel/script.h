/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_SCRIPT_H
#define DVMI_KERNEL_SCRIPT_H

#include <dvmsim/trace.h>

/*
 * A trace, regrouped from CPUs to tasks, for a scheduler that places tasks itself. A task's script is
 * its records in the order of its stints on CPUs. What lay between two stints becomes a step:
 *
 *   the SWITCH waits for a wake-up that a task made   the task blocks until that WAKE is executed
 *   the SWITCH waits for a wake-up made by an idle    the task blocks for the time from its
 *   CPU (a timer, a device)                           switch-out to the wake-up
 *   the CPU slept directly before the SWITCH          the task blocks for so long
 *   nothing of all this                               it was preempted or had yielded: no step
 *
 * A SLEEP that stands for a pull by the balancer (inferred, and the task came from another CPU) is
 * the last case. Every edge leads from an earlier to a later record of the trace, so scripts of one
 * trace never wait for one another in a circle.
 */
#define DVMI_STEP_INDEX ((UINT32_C(1) << 28) - 1)
#define DVMI_STEP_RECORD UINT32_C(0)            /* execute record [index] */
#define DVMI_STEP_WAIT (UINT32_C(1) << 28)      /* block for wake-up number [index] */
#define DVMI_STEP_SLEEP (UINT32_C(2) << 28)     /* block for sleeps[index] nanoseconds */
#define DVMI_STEP_KIND (UINT32_C(15) << 28)

#define DVMI_SCRIPT_ANY UINT16_MAX

struct dvmi_script {
	uint32_t begin, end;  /* its steps */
	uint16_t cpu;         /* where it ran first */
	uint16_t bound;       /* its only CPU, or DVMI_SCRIPT_ANY: a kernel thread that never moved */
	bool initial;         /* it exists when the trace begins */
	bool running;         /* and was on its CPU then */
	bool kthread;
	bool ran;             /* it has a stint at all */
	bool loops;           /* it has a LOOP: a server */
};

struct dvmi_scripts {
	struct dvmi_script *tasks; /* by task number of the trace */
	uint32_t count;            /* one more than the highest number */
	uint32_t *steps;
	uint64_t *sleeps;
	uint32_t *start;           /* records of no task: what exists when the trace begins */
	uint32_t steps_count, sleeps_count, start_count;
};

/* @trace is read only now. 0; -DVM_ELIMIT; -DVM_ENOMEM. */
int dvmi_scripts_init(struct dvmi_scripts *s, const struct dvm_trace *trace, struct dvm_error *err);
void dvmi_scripts_fini(struct dvmi_scripts *s);

#endif
