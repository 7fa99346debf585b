#ifndef BERTH_CLIENT_TOP_VIEW_H_
#define BERTH_CLIENT_TOP_VIEW_H_

// The pictures of `berth top`: what the scheduler knows of the center, or of one job, at a glance.
// It knows of no device how busy it is, only who has it. Pure: the size of the picture and the time
// are arguments.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "proto/client_api.pb.h"

namespace berth {

struct PictureSize {
  int columns = 80;
  int rows = 0;  // 0: as many as there are
};

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
// `nodes` are the center's.
std::string JobPicture(const v1::Job& job, const std::vector<v1::Node>& nodes,
                       const PictureSize& size, absl::Time now);

}  // namespace berth

#endif  // BERTH_CLIENT_TOP_VIEW_H_
