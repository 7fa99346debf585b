// The part of Cluster that keeps what is dated: bookings of nodes, and quota edits to come.

#include <algorithm>
#include <set>
#include <utility>

#include "scheduler/core/cluster.h"

namespace berth {

BookingId Cluster::AddBooking(Booking booking, absl::Time now) {
  last_booking_ = BookingId(last_booking_.value() + 1);
  const BookingId id = last_booking_;
  booking.id = id;
  PutBooking(std::move(booking));
  RefreshBookings(now);
  return id;
}

void Cluster::PutBooking(Booking booking) {
  const BookingId id = booking.id;
  last_booking_ = std::max(last_booking_, id);
  bookings_[id] = std::move(booking);
  changed_bookings_.insert(id);
  next_booking_change_ = absl::InfinitePast();
  StirAll();
}

void Cluster::EndBooking(BookingId id, absl::Time now) {
  bookings_.at(id).ended = true;
  changed_bookings_.insert(id);
  next_booking_change_ = absl::InfinitePast();
  RefreshBookings(now);
  StirAll();
}

void Cluster::RefreshBookings(absl::Time now) {
  if (now < next_booking_change_) {
    return;
  }
  next_booking_change_ = absl::InfiniteFuture();
  std::set<NodeId> closed;
  for (auto& [id, booking] : bookings_) {
    if (!booking.ended && booking.to <= now) {
      booking.ended = true;
      changed_bookings_.insert(id);
    }
    if (booking.ended) {
      continue;
    }
    const bool active = booking.from <= now;
    next_booking_change_ = std::min(next_booking_change_, active ? booking.to : booking.from);
    if (active && booking.kind == BookingKind::kMaintenance) {
      closed.insert(booking.nodes.begin(), booking.nodes.end());
    }
  }
  const std::set<NodeId> before = std::exchange(booked_out_, std::move(closed));
  std::vector<NodeId> changed;
  std::set_symmetric_difference(before.begin(), before.end(), booked_out_.begin(),
                                booked_out_.end(), std::back_inserter(changed));
  for (NodeId id : changed) {
    nodes_.at(id).booked_out = booked_out_.contains(id);
    RefreshNode(id);
  }
  StirAll();
}

void Cluster::TakeBookings(Changes& changes) {
  for (BookingId id : std::exchange(changed_bookings_, {})) {
    changes.bookings.push_back(bookings_.at(id));
    if (bookings_.at(id).ended) {
      bookings_.erase(id);
    }
  }
  if (changes.quota_edits_changed) {
    for (const auto& [key, edit] : quota_edits_) {
      changes.quota_edits.push_back(edit);
    }
  }
}

void Cluster::PutQuotaEdit(const QuotaEdit& edit) {
  quota_edits_[edit.key] = edit;
  new_nouns_.quota_edits_changed = true;
}

void Cluster::DropQuotaEdit(const QuotaKey& key, absl::string_view why) {
  const auto edit = quota_edits_.find(key);
  if (edit == quota_edits_.end()) {
    return;
  }
  if (!why.empty()) {
    new_nouns_.dropped_quota_edits.push_back({edit->second, std::string(why)});
  }
  quota_edits_.erase(edit);
  new_nouns_.quota_edits_changed = true;
}

std::optional<absl::Time> Cluster::NextWake() const {
  absl::Time next = next_booking_change_;
  if (!waking_.empty()) {
    next = std::min(next, waking_.begin()->first);
  }
  for (const auto& [key, edit] : quota_edits_) {
    next = std::min(next, edit.effective_at);
  }
  return next == absl::InfiniteFuture() ? std::nullopt : std::optional<absl::Time>(next);
}

}  // namespace berth
