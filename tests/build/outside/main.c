/* SPDX-License-Identifier: MIT */
#include "linked.h"

#include <dvmsim/version.h>

#include <stdio.h>
#include <string.h>

/* The version of the headers and of the library that was linked must be one. */
int main(void)
{
	puts(linked_version());
	return strcmp(linked_version(), DVM_VERSION) != 0;
}
