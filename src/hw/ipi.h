/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_IPI_H
#define DVMI_HW_IPI_H

#include "model/params.h"

/*
 * An inter-processor interrupt to several CPUs and the wait for their acknowledgements
 * (smp_call_function_many with wait). Target i of n, in the order given:
 *   arrives   now + send_ps + i * slope_ps + deliver_ps
 *   handled   the later of that and the end of the handler it is in, + handle_ps
 * The sender is free to do other work at now + send_ps + (n - 1) * slope_ps, and the wait is over
 * when the last target has handled it. Each target loses handle_ps of work.
 */
struct dvmi_ipi {
	const struct dvmi_hw *hw;
	uint64_t *busy_ps; /* per CPU: in a handler until then */
	uint64_t *lost_ps; /* per CPU: work lost to handlers, never decreases */
};

/* @hw is borrowed. Returns 0 or -DVM_ENOMEM. */
int dvmi_ipi_init(struct dvmi_ipi *ipi, const struct dvmi_hw *hw, uint32_t cpus);
void dvmi_ipi_fini(struct dvmi_ipi *ipi);

struct dvmi_ipi_times {
	uint64_t sent_ps; /* the sender has sent all */
	uint64_t done_ps; /* all targets have acknowledged */
};

/*
 * Send to @targets[0..@n). @arrive_ps may be NULL, else [i] is the time at which target i enters
 * its handler. With no target both times are @now_ps.
 */
struct dvmi_ipi_times dvmi_ipi_send(struct dvmi_ipi *ipi, uint64_t now_ps, const uint32_t *targets,
				    uint32_t n, uint64_t *arrive_ps);

#endif
