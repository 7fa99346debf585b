#ifndef BERTH_CLIENT_TOP_VIEW_H_
#define BERTH_CLIENT_TOP_VIEW_H_

// The pictures of `berth top`: what the scheduler knows of the center, or of one job, node or
// tenant, at a glance. top_view.cc holds the center's, top_view_job.cc and so on the others'. Pure:
// the size of the picture and the time are arguments.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "client/picture.h"
#include "proto/client_api.pb.h"

namespace berth {

struct CenterFacts {
  std::string server;
  std::vector<v1::Node> nodes;
  std::vector<v1::QuotaRow> quota;  // those that the caller may see
  std::vector<v1::Job> jobs;        // that have not ended, as far as the caller may see them
  bool more_jobs = false;           // there are others
  bool owners = false;              // they are several people's
};

// Clean text, each line ended and none wider than the picture; what does not fit is counted.
std::string CenterPicture(const CenterFacts& facts, const PictureSize& size, absl::Time now);
// Per node of the job what its devices are busy with. `nodes` are the center's; `job` comes with
// samples.
std::string JobPicture(const v1::Job& job, const std::vector<v1::Node>& nodes,
                       const PictureSize& size, absl::Time now);
// Every device: how it is, who has it, what it is busy with. `node` comes with uses.
std::string NodePicture(const v1::Node& node, const PictureSize& size, absl::Time now);

struct TenantFacts {
  std::string name;
  std::vector<v1::QuotaRow> quota;  // of the tenant and of its projects
  std::vector<v1::Job> jobs;        // that have not ended, with samples
  bool more_jobs = false;           // there are others
};

// What it owns, uses, borrows and lends of each class, and its running jobs.
std::string TenantPicture(const TenantFacts& facts, const PictureSize& size, absl::Time now);

}  // namespace berth

#endif  // BERTH_CLIENT_TOP_VIEW_H_
