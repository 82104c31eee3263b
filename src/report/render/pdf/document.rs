//! Objects of PDF to a file. ISO 32000-1 is cited by section.

/// Of zlib, from 0 to 10.
const COMPRESSION: u8 = 6;

/// A compressed stream object with the further `entries` of its dictionary (7.3.8).
pub fn stream(entries: &str, content: &[u8]) -> Vec<u8> {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(content, COMPRESSION);
    let mut object = format!(
        "<< {entries}/Length {} /Filter /FlateDecode >>\nstream\n",
        packed.len()
    )
    .into_bytes();
    object.extend(packed);
    object.extend(b"\nendstream");
    object
}

/// Header, numbered objects, cross-reference table, trailer (7.5). The first object is the catalogue.
pub fn document(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut offsets = Vec::new();
    for (place, object) in objects.iter().enumerate() {
        offsets.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", place + 1).into_bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let start = bytes.len();
    let n = objects.len() + 1;
    let entries: String = offsets
        .iter()
        .map(|offset| format!("{offset:010} 00000 n \n"))
        .collect();
    bytes.extend(
        format!(
            "xref\n0 {n}\n0000000000 65535 f \n{entries}trailer\n<< /Size {n} /Root 1 0 R >>\n\
             startxref\n{start}\n%%EOF\n"
        )
        .into_bytes(),
    );
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cross_reference_table_leads_to_every_object() {
        let bytes = document(&[b"<< >>".to_vec(), stream("", b"0 0 m"), b"[1 2]".to_vec()]);
        let find = |needle: &str| {
            let mut windows = bytes.windows(needle.len());
            windows.position(|one| one == needle.as_bytes())
        };
        let table = find("xref\n").unwrap();
        assert!(find(&format!("startxref\n{table}\n")).is_some());
        for number in 1..=3 {
            let place = find(&format!("{number} 0 obj")).unwrap();
            assert!(find(&format!("{place:010} 00000 n \n")).is_some());
        }
    }
}
