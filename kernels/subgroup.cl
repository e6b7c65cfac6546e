// SPDX-License-Identifier: Apache-2.0
// Sub-groups of SG_LANES work-items (WEIR_CAP_SUBGROUPS): a work-group of SG_LANES x n has n of them, its
// rows. 1 lane: none are needed, so that the files that include this one compile anywhere.
#ifndef SG_LANES
#define SG_LANES 1
#endif
#ifndef WEIR_SUBGROUP
#define WEIR_SUBGROUP
#ifdef cl_khr_subgroups
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif
#ifdef cl_intel_subgroups
#pragma OPENCL EXTENSION cl_intel_subgroups : enable
#endif
#endif
#undef SG_LANE
#undef SG_SUB
#undef SG_BROADCAST
#undef SG_ATTRIBUTES
#if SG_LANES == 1
#define SG_LANE 0
#define SG_SUB ((int)get_local_id(1))
#define SG_BROADCAST(x, lane) (x)
#define SG_ATTRIBUTES
#else
#define SG_LANE ((int)get_sub_group_local_id())
#define SG_SUB ((int)get_sub_group_id())
#define SG_BROADCAST(x, lane) sub_group_broadcast(x, lane)
#ifdef cl_intel_required_subgroup_size
#define SG_ATTRIBUTES __attribute__((intel_reqd_sub_group_size(SG_LANES)))
#else
#define SG_ATTRIBUTES
#endif
#endif
