/* SPDX-License-Identifier: MIT */
#include "linked.h"

#include <dvmsim/error.h>

const char *linked_version(void)
{
	return dvm_version();
}
