// What was promised, taken back and tried: bookings, certificates, attempts, explanations.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/node_list.h"
#include "client/text.h"
#include "client/views.h"

namespace berth {
namespace {

double Seconds(int64_t milliseconds) {
  return static_cast<double>(milliseconds) / 1000;
}

Json IdJson(uint64_t id) {
  return id == 0 ? Json() : Json(id);
}

Json CandidateJson(const v1::ReclaimCandidate& candidate) {
  Json json;
  json["job"] = IdJson(candidate.job_id());
  json["tenant"] = candidate.tenant();
  json["attempt"] = candidate.attempt();
  json["devices"] = candidate.devices();
  json["members"] = candidate.members();
  json["shrink"] = candidate.shrink();
  json["chosen"] = candidate.chosen();
  json["tenant_excess"] = candidate.tenant_excess();
  json["tenant_weight"] = candidate.tenant_weight();
  json["priority"] = candidate.priority();
  json["lost_work_seconds"] = Seconds(candidate.lost_work_ms());
  json["started_at"] = TimeJson(candidate.started_at_us());
  json["notice_seconds"] = Seconds(candidate.notice_ms());
  return json;
}

const char* VerdictWord(v1::Explanation::Verdict verdict) {
  switch (verdict) {
    case v1::Explanation::VERDICT_STARTS_NOW:
      return "starts-now";
    case v1::Explanation::VERDICT_WAITS:
      return "waits";
    case v1::Explanation::VERDICT_NEVER:
      return "never";
    case v1::Explanation::VERDICT_RUNS:
      return "runs";
    case v1::Explanation::VERDICT_ENDED:
      return "ended";
    default:  // one that this version does not know yet
      return "unknown";
  }
}

Json ReasonsJson(const google::protobuf::RepeatedPtrField<v1::Reason>& reasons) {
  Json json = Json::array();
  for (const v1::Reason& reason : reasons) {
    json.push_back(ReasonJson(reason));
  }
  return json;
}

Json GroupJson(const v1::Explanation::NodeGroup& group) {
  Json json;
  json["reason"] = group.has_reason() ? ReasonJson(group.reason()) : Json();
  json["count"] = group.count();
  json["nodes"] = std::vector<std::string>(group.nodes().begin(), group.nodes().end());
  return json;
}

}  // namespace

Json BookingJson(const v1::Booking& booking) {
  Json json;
  json["id"] = booking.id();
  json["kind"] = booking.kind() == v1::BOOKING_KIND_MAINTENANCE ? "maintenance" : "reservation";
  json["tenant"] = booking.tenant().empty() ? Json() : Json(booking.tenant());
  json["nodes"] = std::vector<std::string>(booking.nodes().begin(), booking.nodes().end());
  json["from"] = TimeJson(booking.from_us());
  json["to"] = TimeJson(booking.to_us());
  json["reason"] = booking.reason();
  json["user"] = booking.user();
  json["ended"] = booking.ended();
  return json;
}

Json AttemptJson(const v1::Attempt& attempt) {
  Json json;
  json["number"] = attempt.number();
  json["funding"] = FundingJson(attempt.funding());
  json["class"] = attempt.device_class();
  json["created_at"] = TimeJson(attempt.created_at_us());
  json["started_at"] = TimeJson(attempt.started_at_us());
  json["ended_at"] = TimeJson(attempt.ended_at_us());
  json["checkpoint_at"] = TimeJson(attempt.checkpoint_at_us());
  json["notice"] = NoticeJson(attempt.notice());
  json["end"] = EndJson(attempt.end());
  return json;
}

Json ReclaimJson(const v1::Reclaim& reclaim) {
  Json json;
  json["id"] = reclaim.id();
  json["at"] = TimeJson(reclaim.at_us());
  json["claim_job"] = IdJson(reclaim.claim_job_id());
  json["tenant"] = reclaim.tenant();
  json["class"] = reclaim.device_class();
  json["within_tenant"] = reclaim.within_tenant();
  json["nodes"] = reclaim.nodes();
  json["devices_per_node"] = reclaim.devices_per_node();
  json["entitlement"] = reclaim.entitlement();
  json["used"] = reclaim.used();
  json["free_devices"] = reclaim.free_devices();
  json["lost_device_seconds"] = reclaim.lost_device_seconds();
  json["candidates"] = Json::array();
  for (const v1::ReclaimCandidate& candidate : reclaim.candidates()) {
    json["candidates"].push_back(CandidateJson(candidate));
  }
  json["due"] = TimeJson(reclaim.due_us());
  json["settled_at"] = TimeJson(reclaim.settled_at_us());
  json["given_up"] = reclaim.given_up();
  return json;
}

Json ExplanationJson(const v1::Explanation& explanation) {
  Json json;
  json["job"] = explanation.has_job() ? JobJson(explanation.job()) : Json();
  json["tenant"] = explanation.tenant();
  json["project"] = explanation.project();
  json["verdict"] = VerdictWord(explanation.verdict());
  json["as_of"] = TimeJson(explanation.as_of_us());
  json["blockers"] = ReasonsJson(explanation.blockers());
  json["notes"] = ReasonsJson(explanation.notes());
  json["node_groups"] = Json::array();
  for (const v1::Explanation::NodeGroup& group : explanation.node_groups()) {
    json["node_groups"].push_back(GroupJson(group));
  }
  json["start_latest"] = TimeJson(explanation.start_latest_us());
  json["start_likely"] = TimeJson(explanation.start_likely_us());
  json["start_likely_to"] = TimeJson(explanation.start_likely_to_us());
  json["waits_for"] = Json::array();
  for (const v1::Explanation::Awaited& awaited : explanation.waits_for()) {
    Json item;
    item["job"] = IdJson(awaited.job_id());
    item["nodes"] = std::vector<std::string>(awaited.nodes().begin(), awaited.nodes().end());
    item["by"] = TimeJson(awaited.by_us());
    item["recalled"] = awaited.recalled();
    json["waits_for"].push_back(std::move(item));
  }
  json["start_nodes"] =
      std::vector<std::string>(explanation.start_nodes().begin(), explanation.start_nodes().end());
  json["jobs_ahead"] = explanation.has_jobs_ahead() ? Json(explanation.jobs_ahead()) : Json();
  json["advice"] = Json::array();
  for (const v1::Explanation::Advice& advice : explanation.advice()) {
    json["advice"].push_back({
        {"option",   advice.option()               },
        {"verdict",  advice.verdict()              },
        {"would_be", VerdictWord(advice.would_be())}
    });
  }
  json["funding"] = FundingJson(explanation.funding());
  json["submission_notes"] = std::vector<std::string>(explanation.submission_notes().begin(),
                                                      explanation.submission_notes().end());
  json["device_hours_most"] = explanation.device_hours_most();
  json["attempts"] = Json::array();
  for (const v1::Attempt& attempt : explanation.job().attempts()) {
    json["attempts"].push_back(AttemptJson(attempt));
  }
  json["reclaims"] = Json::array();
  for (const v1::Reclaim& reclaim : explanation.job().reclaims()) {
    json["reclaims"].push_back(ReclaimJson(reclaim));
  }
  return json;
}

Listing BookingListing(const std::vector<v1::Booking>& bookings, absl::Time now) {
  Listing listing{.kind = "BookingList", .columns = {}, .rows = {}, .name_field = "id"};
  listing.columns = {
      Right("ID"), Left("KIND", 2), Left("TENANT"), Left("FROM"),
      Left("TO"),  Left("NODES"),   Left("BY", 3),  Left("REASON", 1),
  };
  for (const v1::Booking& booking : bookings) {
    Json json = BookingJson(booking);
    const std::string kind = json["kind"].get<std::string>();
    listing.rows.push_back({
        .json = std::move(json),
        .cells = {absl::StrCat(booking.id()), kind, booking.tenant(),
                  TimeForPeople(TimeFromMicros(booking.from_us()), now),
                  TimeForPeople(TimeFromMicros(booking.to_us()), now),
                  FoldNodes({booking.nodes().begin(), booking.nodes().end()}), booking.user(),
                  booking.reason()}
    });
  }
  return listing;
}

}  // namespace berth
