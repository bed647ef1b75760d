use super::*;

/// The ID of a key, made here.
fn id(number: usize) -> String {
    format!("AK{}{number:016}", "IA")
}

fn member(user: &str, id: &str, status: &str) -> String {
    format!(
        "<member><UserName>{user}</UserName><AccessKeyId>{id}</AccessKeyId><Status>{status}</Status>\
         <CreateDate>2026-01-02T03:04:05Z</CreateDate></member>"
    )
}

fn list(members: &str, end: &str) -> String {
    format!("<AccessKeyMetadata>{members}</AccessKeyMetadata>{end}")
}

const WHOLE: &str = "<IsTruncated>false</IsTruncated>";

/// IDs, each with whether it is active, and the marker of the next page.
type Page = (Vec<(String, bool)>, Option<String>);

fn read(result: &str) -> Result<Page, &'static str> {
    let xml = format!(
        "<ListAccessKeysResponse><ListAccessKeysResult>{result}</ListAccessKeysResult></ListAccessKeysResponse>"
    );
    let mut all = BTreeMap::new();
    let next = keys(&Element::parse(xml.as_bytes()).unwrap(), "eso", &mut all)?;
    Ok((all.into_iter().map(|(id, key)| (id, key.is_active)).collect(), next))
}

#[test]
fn keys_of_user_are_listed() {
    let two = member("eso", &id(1), "Active") + &member("eso", &id(2), "Inactive");
    assert_eq!(read(&list(&two, WHOLE)), Ok((vec![(id(1), true), (id(2), false)], None)));
    assert_eq!(read(&list("", WHOLE)), Ok((vec![], None)));
    let more = "<IsTruncated>true</IsTruncated><Marker>m</Marker>";
    assert_eq!(read(&list("", more)), Ok((vec![], Some("m".into()))));
}

#[test]
fn odd_list_of_keys_is_refused() {
    let one = member("eso", &id(1), "Active");
    for result in [
        String::new(),
        WHOLE.to_owned(),
        list(&one, ""),
        list(&one, "<IsTruncated>no</IsTruncated>"),
        list(&one, "<IsTruncated>true</IsTruncated>"),
        list(&one, "<IsTruncated>true</IsTruncated><Marker></Marker>"),
        list(&(one.clone() + &one), WHOLE),
        list(&member("root", &id(1), "Active"), WHOLE),
        list(&member("", &id(1), "Active"), WHOLE),
        list(&member("eso", "", "Active"), WHOLE),
        list(&member("eso", "ASIA0000000000000001", "Active"), WHOLE),
        list(&member("eso", &id(1), "Expired"), WHOLE),
        list(&member("eso", &id(1), ""), WHOLE),
        list(&member("eso", &id(1), "active"), WHOLE),
    ] {
        assert!(read(&result).is_err(), "{result}");
    }
    let other = Element::parse(b"<ListUsersResponse><ListUsersResult/></ListUsersResponse>").unwrap();
    assert!(keys(&other, "eso", &mut BTreeMap::new()).is_err());
}

#[test]
fn last_use_names_user() {
    let of = |inner: &str| {
        let xml = format!("<R><GetAccessKeyLastUsedResult>{inner}</GetAccessKeyLastUsedResult></R>");
        last_used(&Element::parse(xml.as_bytes()).unwrap())
    };
    let used =
        |date: &str| of(&format!("<UserName>eso</UserName><AccessKeyLastUsed>{date}</AccessKeyLastUsed>"));
    assert_eq!(
        used("<LastUsedDate>2026-11-01T00:00:00Z</LastUsedDate>").unwrap().at.as_deref(),
        Some("2026-11-01T00:00:00Z")
    );
    for never in ["", "<LastUsedDate>N/A</LastUsedDate>", "<Region>N/A</Region>"] {
        assert_eq!(used(never).unwrap(), LastUsed { user: "eso".into(), at: None });
    }
    for inner in ["", "<UserName></UserName>", "<UserName>a b</UserName>", "<UserName>a/b</UserName>"] {
        assert!(of(inner).is_err(), "{inner}");
    }
    assert!(used("<LastUsedDate>yesterday</LastUsedDate>").is_err());
    assert!(last_used(&Element::default()).is_err());
}

#[test]
fn account_has_its_form() {
    let of = |text: &str| {
        let xml =
            format!("<R><GetCallerIdentityResult><Account>{text}</Account></GetCallerIdentityResult></R>");
        account(&Element::parse(xml.as_bytes()).unwrap(), "GetCallerIdentity")
    };
    assert_eq!(of("111122223333").as_deref(), Ok("111122223333"));
    for text in ["", "1", "11112222333a", "1111222233334"] {
        assert!(of(text).is_err(), "{text}");
    }
}
