/* SPDX-License-Identifier: MIT */
#include "hw/ipi.h"

#include "base/mem.h"

#include <dvmsim/error.h>

int dvmi_ipi_init(struct dvmi_ipi *ipi, const struct dvmi_hw *hw, uint32_t cpus)
{
	ipi->hw = hw;
	ipi->busy_ps = dvmi_calloc(cpus, sizeof(*ipi->busy_ps));
	ipi->lost_ps = dvmi_calloc(cpus, sizeof(*ipi->lost_ps));
	if (ipi->busy_ps && ipi->lost_ps)
		return 0;
	dvmi_ipi_fini(ipi);
	return -DVM_ENOMEM;
}

void dvmi_ipi_fini(struct dvmi_ipi *ipi)
{
	dvmi_free(ipi->busy_ps);
	dvmi_free(ipi->lost_ps);
	ipi->busy_ps = ipi->lost_ps = NULL;
}

struct dvmi_ipi_times dvmi_ipi_send(struct dvmi_ipi *ipi, uint64_t now_ps, const uint32_t *targets,
				    uint32_t n, uint64_t *arrive_ps)
{
	const struct dvmi_hw *hw = ipi->hw;
	struct dvmi_ipi_times times = {now_ps, now_ps};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t cpu = targets[i];
		uint64_t t;

		times.sent_ps += i ? hw->ipi_slope_ps : hw->ipi_send_ps;
		t = times.sent_ps + hw->ipi_deliver_ps;
		if (t < ipi->busy_ps[cpu])
			t = ipi->busy_ps[cpu];
		if (arrive_ps)
			arrive_ps[i] = t;
		t += hw->ipi_handle_ps;
		ipi->busy_ps[cpu] = t;
		ipi->lost_ps[cpu] += hw->ipi_handle_ps;
		if (t > times.done_ps)
			times.done_ps = t;
	}
	return times;
}
