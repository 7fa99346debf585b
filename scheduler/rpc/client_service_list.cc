// The part of the client service that lists jobs.

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "scheduler/convert.h"
#include "scheduler/rpc/client_service.h"
#include "scheduler/rpc/device_use.h"

namespace berth {
namespace {

// The specifications, scripts included, that the loop reads for one answer.
constexpr size_t kMatrixSpecBytesMax = 4 << 20;

// Of the array that `job` is a task of. An auditor may not see what a job runs.
absl::Status AddMatrix(const ReadView& view, const Actor& actor, const Job& job, size_t& bytes_read,
                       v1::ListJobsResponse* out) {
  v1::ArrayMatrix& added = *out->add_matrices();
  added.set_array_id(job.array.value());
  if (actor.role == Role::kAuditor) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string payload, view.GetJobPayload(job));
  bytes_read += payload.size();
  v1::JobSpec spec;
  if (!spec.ParseFromString(payload)) {
    return absl::InternalError("a specification cannot be read");
  }
  added.mutable_matrix()->Swap(spec.mutable_matrix());
  return absl::OkStatus();
}

absl::Status AddMatrices(const ReadView& view, const Actor& actor,
                         const std::vector<JobRecord>& records, v1::ListJobsResponse* out) {
  std::set<JobId> arrays;
  size_t bytes_read = 0;
  for (const JobRecord& record : records) {
    const Job& job = record.job;
    if (bytes_read < kMatrixSpecBytesMax && job.array && arrays.insert(job.array).second) {
      RETURN_IF_ERROR(AddMatrix(view, actor, job, bytes_read, out));
    }
  }
  return absl::OkStatus();
}

}  // namespace

ClientService::Reactor* ClientService::ListJobs(Context* context,
                                                const v1::ListJobsRequest* request,
                                                v1::ListJobsResponse* response) {
  return router_.Read(
      context, "Client.ListJobs",
      [=, this](const Actor& actor, const ReadView& view) -> absl::Status {
        ASSIGN_OR_RETURN(JobListQuery query, ToJobListQuery(*request, actor, view.cluster()));
        const auto page_size =
            static_cast<size_t>(query.limit++);  // one more shows if there is one
        ASSIGN_OR_RETURN(std::vector<JobRecord> records, view.ListJobs(query));
        if (records.size() > page_size) {
          records.resize(page_size);
          response->set_next_before_job_id(records.back().job.id.value());
        }
        for (const JobRecord& record : records) {
          v1::Job& job = *response->add_jobs();
          job = ToProto(record, view.cluster());
          if (request->with_samples()) {
            FillSamples(record, view, samples_, job);
          }
        }
        return request->with_matrices() ? AddMatrices(view, actor, records, response)
                                        : absl::OkStatus();
      });
}

}  // namespace berth
