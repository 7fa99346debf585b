#ifndef BERTH_TESTS_CLIENT_SAMPLE_JOB_H_
#define BERTH_TESTS_CLIENT_SAMPLE_JOB_H_

// A job as the scheduler tells of it, for the tests to change.

#include <cstdint>

#include "absl/strings/str_cat.h"

#include "proto/client_api.pb.h"

namespace berth {

// One of acme's on two devices of node n1, borrowed.
inline v1::Job RunningJob(uint64_t id) {
  v1::Job job;
  job.set_id(id);
  job.set_name("llm7b");
  job.set_tenant("acme");
  job.set_project("llm");
  job.set_user("wei");
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_submitted_at_us(1'700'000'000'000'000);
  job.set_started_at_us(1'700'000'001'500'000);
  job.set_funding(v1::FUNDING_BORROWED);
  job.mutable_gang()->set_nodes(1);
  job.mutable_gang()->set_devices_per_node(2);
  v1::Allocation* const allocation = job.add_allocations();
  allocation->set_id(7);
  allocation->set_job_id(id);
  allocation->set_node("n1");
  for (int index : {3, 4}) {
    v1::DeviceAssignment* const device = allocation->add_devices();
    device->set_index(index);
    device->set_device_class("sim-a100-80g");
    device->set_uuid(absl::StrCat("uuid-", index));
    device->set_milli(1000);
  }
  return job;
}

}  // namespace berth

#endif  // BERTH_TESTS_CLIENT_SAMPLE_JOB_H_
