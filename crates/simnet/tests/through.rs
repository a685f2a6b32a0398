//! Calls and everything else through the house, unharmed.

use simnet::stories;

stories! {
    fn two_phones_talk_through_the_house_and_the_pbx(w) {
        w.phones(["ben", "carl"]);
        w.talk("ben", "carl");
        w.hang_up("ben").settle();
        w.ended("carl");
    }
    fn a_caller_reaches_a_phone(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.hang_up("anna").settle();
        w.ended("ben");
    }
}
