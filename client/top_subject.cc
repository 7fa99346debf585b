#include "client/top_subject.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "client/job_ids.h"
#include "client/text.h"
#include "common/error_detail.h"
#include "common/status_macros.h"

namespace berth {
namespace {

// As FindJobId takes them. No other word can be a job, so none is asked for in vain.
bool HasFormOfJob(absl::string_view text) {
  return absl::StartsWith(text, "@") || text == "last" || absl::StartsWith(text, "last~") ||
         text.find_first_not_of("0123456789.,-") == absl::string_view::npos;
}

absl::StatusOr<bool> IsTenant(ApiClient& api, const std::string& name) {
  ASSIGN_OR_RETURN(const v1::ListTenantsResponse response, api.ListTenants({}));
  return std::any_of(response.tenants().begin(), response.tenants().end(),
                     [&](const v1::Tenant& tenant) { return tenant.name() == name; });
}

absl::StatusOr<bool> IsNode(ApiClient& api, const std::string& name) {
  v1::ListNodesRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::ListNodesResponse response, api.ListNodes(request));
  return !response.nodes().empty();
}

}  // namespace

absl::Status NoSuchSubject(absl::string_view what, absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound,
                   {.code = "B1311",
                    .message = absl::StrCat("there is no ", what, " \"", CleanText(name), "\""),
                    .why = "",
                    .fix = "berth nodes and berth tenant list show those you may see; a job is "
                           "named by its number, last or @NAME"});
}

absl::StatusOr<TopSubject> FindTopSubject(ApiClient& api, const Word& word) {
  TopSubject subject;
  absl::string_view text = word.text;
  if (absl::ConsumePrefix(&text, "node:")) {
    return TopSubject{.kind = TopSubject::Kind::kNode, .name = std::string(text)};
  }
  if (absl::ConsumePrefix(&text, "tenant:")) {
    return TopSubject{.kind = TopSubject::Kind::kTenant, .name = std::string(text)};
  }
  if (HasFormOfJob(text)) {
    ASSIGN_OR_RETURN(subject.job, FindJobId(api, word));
    subject.kind = TopSubject::Kind::kJob;
    return subject;
  }
  subject.name = word.text;
  ASSIGN_OR_RETURN(const bool is_node, IsNode(api, word.text));
  ASSIGN_OR_RETURN(const bool is_tenant, IsTenant(api, word.text));
  if (is_node && is_tenant) {
    return ErrorAt(
        word.origin, absl::StrCat("\"", CleanText(word.text), "\" is a node and a tenant"),
        absl::StrCat("write node:", CleanText(word.text), " or tenant:", CleanText(word.text)));
  }
  if (!is_node && !is_tenant) {
    return NoSuchSubject("node and no tenant", word.text);
  }
  subject.kind = is_node ? TopSubject::Kind::kNode : TopSubject::Kind::kTenant;
  return subject;
}

}  // namespace berth
